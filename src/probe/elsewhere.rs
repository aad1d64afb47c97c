//! An address of ours that no server has a reason to ask: a key set, with the key that forged tokens are signed with.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, http::Uri};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};
use url::{Host, Url};

/// Requests that are remembered; one is enough.
const REMEMBERED: usize = 16;

/// The address, on this machine's loopback. It ends when this is dropped.
pub struct Elsewhere {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Elsewhere {
    /// Answers every request with `answer`, as JSON.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn answering(answer: Value) -> std::io::Result<Elsewhere> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembers = Arc::clone(&asked);
        let router = Router::new().fallback(async move |uri: Uri| {
            let mut asked = remembers.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.len() < REMEMBERED {
                asked.push(uri.to_string());
            }
            Json(answer)
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Nothing is left to tell anybody when it ends.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Elsewhere { url, asked, _serving: serving })
    }

    /// The origin, without a final slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a server that is reached at `origin` reaches this machine's loopback in the same way, as far as its address tells.
pub fn is_this_machine(origin: &Url) -> bool {
    match origin.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
