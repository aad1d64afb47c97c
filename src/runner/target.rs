//! The target as it is given: a URL, or what people write instead of one.

use url::Url;

use crate::contract::Contract;

/// A target: where it is, and the path that came with it, if any.
#[derive(Debug)]
pub struct Target {
    /// Scheme, host and port.
    pub origin: Url,
    /// The path without its final slash; empty for none.
    pub path: String,
}

impl Target {
    /// A path in the URL must be one that the contract knows: the endpoint's, the application's, or the page's. Which of them
    /// another one is, nobody can tell.
    ///
    /// # Errors
    /// What to write instead.
    pub fn fits(&self, contract: &Contract) -> Result<(), String> {
        let path = self.path.as_str();
        let page = contract.page.as_deref().map(|page| page.trim_end_matches('/'));
        if path.is_empty() || path == contract.path || path == contract.base || Some(path) == page {
            return Ok(());
        }
        let origin = self.origin.as_str().trim_end_matches('/');
        Err(format!(
            "the target's URL has the path {path}. If Socket.IO is served there, give `{origin} --path {path}`. If the \
             application lives there (Nuxt's app.baseURL), give `{origin} --base {path}`, with `--path {path}/socket.io` where \
             Socket.IO is below it. Else give `{origin}` alone"
        ))
    }
}

/// Reads `http://localhost:3000`, `localhost:3000`, `wss://example.com`, ….
///
/// # Errors
/// What is wrong with it and what to write instead. The message never holds credentials.
pub fn parse(text: &str) -> Result<Target, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the target's URL is empty; is the variable that should hold it set?".into());
    }
    // `localhost:3000` would be the scheme `localhost` to a parser of URLs.
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        other => return Err(format!("the target's URL begins with {other}://; expected http:// or https://")),
    };
    let Ok(mut url) = Url::parse(&format!("{scheme}://{rest}")) else {
        // A text that is no URL may hold credentials all the same.
        let shown = rest.rsplit('@').next().unwrap_or(rest);
        return Err(format!("`{shown}` is no URL; expected one such as http://localhost:3000"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the target's URL holds credentials, which would end up in logs; give them as a header instead: \
                    --headers 'Authorization: Basic …' or the variable SIOSPEC_HEADERS"
            .into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the target's URL has a query or a fragment; expected scheme, host and port only".into());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path("/");
    Ok(Target { origin: url, path })
}
