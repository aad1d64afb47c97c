//! The web side of the application: its page, its REST route, and the hook that reloads it.

use std::{fmt::Write, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use serde_json::{Map, Value, json};

use super::{Deployment, burst::Burst};
use crate::mock::{Fault, gateway::Gateway};

/// How large the body of a REST call may be, in bytes.
const MAX_BODY: usize = 1_000_000;

/// How long the body of a REST call may take.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// With the fault `rest-loses-bursts`: how many calls may wait, as for a small pool's connections.
const MAX_WAITING: usize = 5;

#[derive(Clone)]
struct Web {
    deployment: Arc<Deployment>,
    gateway: Gateway,
    /// The REST calls, with the fault `rest-loses-bursts`.
    calls: Arc<Burst>,
}

/// The body of `POST /api/notify`.
struct Notification {
    message: String,
}

/// The routes of the application, apart from Socket.IO.
pub fn router(deployment: Arc<Deployment>, gateway: Gateway) -> Router {
    let faults = deployment.faults.clone();
    let mut router = Router::new()
        .route("/api/notify", if faults.has(Fault::RestEmitsOnGet) { any(notify) } else { post(notify) })
        .route("/__siospec/reload", post(reload))
        .fallback(not_found);
    if !faults.has(Fault::NoPage) {
        router = router.route("/", get(page));
    }
    if faults.has(Fault::NoSlashCrashes) {
        router = router.route("/socket.io", any(StatusCode::INTERNAL_SERVER_ERROR));
    }
    router.with_state(Web { deployment, gateway, calls: Arc::default() })
}

async fn page(State(web): State<Web>) -> Response {
    if web.deployment.faults.has(Fault::RedirectsPage) {
        let mut elsewhere = web.deployment.address;
        elsewhere.set_port(elsewhere.port() ^ 1);
        return Redirect::temporary(&format!("http://{elsewhere}/")).into_response();
    }
    html(&web.deployment).into_response()
}

/// What this server is, for people.
fn html(deployment: &Deployment) -> Html<String> {
    let mut faults = String::new();
    for fault in deployment.faults.iter() {
        // Writing to a string cannot fail.
        let _ = write!(faults, "<li><code>{}</code>: {}</li>", fault.name(), fault.description().replace('<', "&lt;"));
    }
    if faults.is_empty() {
        faults.push_str("<li>none</li>");
    }
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>siospec reference server</title></head>\n\
         <body>\n<h1>siospec reference server</h1>\n\
         <p>Socket.IO is served at <code>/socket.io/</code>, namespace <code>/</code>. \
         A token (JWT) is expected as <code>auth.token</code>.</p>\n\
         <p>Client events: <code>ping</code>, <code>join_room</code>, <code>leave_room</code>, <code>send_message</code>. \
         Server events: <code>welcome</code>, <code>pong</code>, <code>receive_message</code>, \
         <code>notification</code>.</p>\n\
         <p><code>POST /api/notify</code> with <code>{{\"message\": …}}</code> notifies every connected client; \
         <code>POST /__siospec/reload</code> reloads the application.</p>\n\
         <p>Faults:</p>\n<ul>{faults}</ul>\n</body>\n</html>\n"
    ))
}

/// `POST /api/notify`: emits `notification` to every connected client.
async fn notify(State(web): State<Web>, request: Request) -> Response {
    let faults = &web.deployment.faults;
    if faults.has(Fault::RestAnswersPage) {
        return html(&web.deployment).into_response();
    }
    if web.deployment.options.rest_credentials && !faults.has(Fault::RestOpenToAll) {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| web.deployment.app().state.auth().is_valid(token)) {
            let answer = json!({ "success": false, "message": "a valid token is needed" });
            return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], Json(answer)).into_response();
        }
    }
    let is_get = request.method() == Method::GET;
    let notification = match read(request).await {
        Ok(notification) => notification,
        Err((StatusCode::BAD_REQUEST, message)) if faults.has(Fault::RestErrorsWithPath) => {
            let message = format!("{message} (/app/.output/server/chunks/routes/api/notify.post.mjs)");
            return (StatusCode::BAD_REQUEST, Json(json!({ "success": false, "message": message }))).into_response();
        }
        Err(_) if is_get || faults.has(Fault::RestAcceptsAnyBody) => Notification { message: "undefined".to_owned() },
        Err((StatusCode::BAD_REQUEST, _)) if faults.has(Fault::RestCrashesOnBadBody) => {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        Err((status, message)) => {
            return (status, Json(json!({ "success": false, "message": message }))).into_response();
        }
    };
    if !(faults.has(Fault::RestLosesBursts) && web.calls.pause().await >= MAX_WAITING) {
        web.deployment.app().state.notify(&notification.message);
    }
    Json(json!({ "success": !faults.has(Fault::RestAnswersFailure) })).into_response()
}

async fn read(request: Request) -> Result<Notification, (StatusCode, &'static str)> {
    let is_json = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    if !is_json {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has to be application/json"));
    }
    let body = collect(request.into_body()).await?;
    // By way of a map: an array of one text would pass for the struct.
    let fields: Result<Map<String, Value>, _> = serde_json::from_slice(&body);
    let message = fields.ok().and_then(|mut fields| fields.remove("message"));
    match message {
        Some(Value::String(message)) => Ok(Notification { message }),
        _ => Err((StatusCode::BAD_REQUEST, "the body has to be {\"message\": string}")),
    }
}

async fn collect(body: Body) -> Result<axum::body::Bytes, (StatusCode, &'static str)> {
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// `POST /__siospec/reload`: answers when the new application serves and the old connections are gone.
async fn reload(State(web): State<Web>) -> Response {
    match web.deployment.reload(&web.gateway).await {
        Ok(()) => Json(json!({ "success": true })).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn not_found(State(web): State<Web>, uri: Uri) -> Response {
    if web.deployment.faults.has(Fault::BundleIsPage) && uri.path().starts_with("/socket.io/") {
        return html(&web.deployment).into_response();
    }
    (StatusCode::NOT_FOUND, "Not found\n").into_response()
}
