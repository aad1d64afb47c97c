//! Which origins' pages may speak to the server (Fetch, "CORS protocol"), as Node's `cors: { origin: […] }` has it: pages
//! of the allowed one may read what they get. Others are served all the same; it is the browser that keeps it from them.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::{
    super::{ALLOWED_ORIGIN, Fault, Faults},
    answer::{self, Answer},
    websocket::is_upgrade,
};

/// What one request's answer says about its origin.
pub struct Cors<'a> {
    origin: Option<HeaderValue>,
    /// Whether the origin is another than the server's own.
    is_foreign: bool,
    faults: &'a Faults,
}

impl Cors<'_> {
    pub fn new<'a, B>(request: &Request<B>, faults: &'a Faults) -> Cors<'a> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let is_foreign = origin.as_ref().is_some_and(|origin| !is_own(origin, request.headers()));
        Cors { origin, is_foreign, faults }
    }

    /// Whether the origin is another than the server's own.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    fn is_allowed(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin == ALLOWED_ORIGIN)
    }

    /// The answer to a preflight, or to an origin that is turned away.
    pub fn verdict<B>(&self, request: &Request<B>) -> Option<Answer> {
        let is_stranger = self.is_foreign && !self.is_allowed();
        if is_upgrade(request.headers()) {
            let refused = (is_stranger && self.faults.has(Fault::OriginCheckedOnWebsocketOnly))
                || (self.is_allowed() && self.faults.has(Fault::WebsocketRefusesAllowedOrigin))
                || (!self.is_allowed() && self.origin.is_some() && self.faults.has(Fault::RefusesOwnOrigin));
            return refused.then(|| answer::refuse_upgrade(StatusCode::FORBIDDEN, "Forbidden"));
        }
        let refuses_own = !self.is_allowed() && self.origin.is_some() && self.faults.has(Fault::RefusesOwnOrigin);
        if refuses_own || (is_stranger && self.faults.has(Fault::OriginCheckedOnPollingOnly)) {
            let body = r#"{"code":4,"message":"Forbidden"}"#;
            return Some(answer::with_body(StatusCode::FORBIDDEN, "application/json", body));
        }
        if request.method() != Method::OPTIONS
            || !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            || (self.is_allowed() && self.faults.has(Fault::CorsRefusesPreflight))
        {
            return None;
        }
        let mut answer = answer::empty(StatusCode::NO_CONTENT);
        let methods = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        Some(answer)
    }

    /// Says on the answer who may read it.
    pub fn mark(&self, answer: &mut Answer) {
        let headers = answer.headers_mut();
        if !self.is_allowed() || !self.faults.has(Fault::CorsWithoutVary) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = &self.origin else { return };
        let mut say = |name: HeaderName, value: HeaderValue| drop(headers.insert(name, value));
        if self.is_allowed() {
            if !self.faults.has(Fault::CorsForgetsAllowed) {
                say(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
            return;
        }
        let everybody = HeaderValue::from_static("*");
        let credentials = HeaderValue::from_static("true");
        if self.faults.has(Fault::CorsReflectsOrigin) {
            say(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            say(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
        } else if self.faults.has(Fault::CorsWildcardCredentials) {
            say(header::ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
            say(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
        } else if self.faults.has(Fault::OriginCheckedOnWebsocketOnly) {
            say(header::ACCESS_CONTROL_ALLOW_ORIGIN, everybody);
        }
    }
}

/// Whether an origin is that of the server, as the client knows it.
fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.to_str().is_ok_and(|origin| origin.split_once("://").is_some_and(|(_, rest)| rest == host))
}
