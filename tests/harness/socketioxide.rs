//! socketioxide as its README shows it, with the application of the default contract.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    response::Html,
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef, TryData},
    handler::ConnectHandler,
    socket::Sid,
};
use tokio::{net::TcpListener, task::JoinHandle};

// What a message may be: JSON that may hold binary data, which `Value` cannot.
#[allow(dead_code, reason = "the module serves the reference server, which may use more of it")]
#[path = "../../src/mock/app/payload.rs"]
mod payload;
use payload::Payload;

/// A running server; ended when it is dropped.
pub struct Server {
    pub url: String,
    task: JoinHandle<io::Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Deserialize)]
struct Credentials {
    token: String,
}

#[derive(Deserialize)]
struct RoomMessage {
    room: String,
    message: String,
}

#[derive(Serialize)]
struct Delivery<'a> {
    room: &'a str,
    message: &'a str,
    from: Sid,
}

#[derive(Deserialize)]
struct Notification {
    message: String,
}

/// Starts it on a free port, with these waits and otherwise the library's defaults.
pub async fn start(secret: &'static str, heartbeat: Duration, connect_timeout: Duration) -> io::Result<Server> {
    let (layer, io) = SocketIo::builder()
        .ping_interval(heartbeat)
        .ping_timeout(heartbeat)
        .connect_timeout(connect_timeout)
        .build_layer();
    let authenticate = move |TryData(credentials): TryData<Credentials>| async move {
        let valid = credentials.is_ok_and(|credentials| is_valid(&credentials.token, secret));
        if valid { Ok(()) } else { Err("unauthorized") }
    };
    for namespace in ["/", "/chat"] {
        io.ns(namespace, on_connect.with(authenticate));
    }
    let app = Router::new()
        .route("/", get(|| async { Html("<!DOCTYPE html><title>socketioxide</title><h1>socketioxide</h1>") }))
        .route("/api/notify", post(notify))
        .with_state(io)
        .layer(layer);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok(Server { url, task: tokio::spawn(async move { axum::serve(listener, app).await }) })
}

fn is_valid(token: &str, secret: &str) -> bool {
    // The algorithm is ours to choose: the token's own header is the attacker's.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "sub"]);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).is_ok()
}

async fn on_connect(socket: SocketRef) {
    socket.on("ping", async |socket: SocketRef| {
        let _ = socket.emit("pong", &());
    });
    socket.on("echo", async |Data(message): Data<Payload>, ack: AckSender| {
        let _ = ack.send(&message);
    });
    socket.on("join_room", async |socket: SocketRef, TryData(room): TryData<String>, ack: AckSender| {
        let joined = room.is_ok_and(|room| {
            is_room_name(&room) && {
                socket.join(channel(&room));
                true
            }
        });
        let _ = ack.send(&json!({ "ok": joined }));
    });
    socket.on("leave_room", async |socket: SocketRef, TryData(room): TryData<String>, ack: AckSender| {
        let left = room.is_ok_and(|room| {
            is_room_name(&room) && {
                socket.leave(channel(&room));
                true
            }
        });
        let _ = ack.send(&json!({ "ok": left }));
    });
    socket.on("send_message", send_message);
}

async fn send_message(socket: SocketRef, TryData(message): TryData<RoomMessage>, ack: AckSender) {
    let sent = match &message {
        Ok(RoomMessage { room, message }) if socket.rooms().contains(&channel(room).into()) => {
            let delivery = Delivery { room, message, from: socket.id };
            socket.within(channel(room)).emit("receive_message", &delivery).await.is_ok()
        }
        _ => false,
    };
    let _ = ack.send(&json!({ "ok": sent }));
}

async fn notify(State(io): State<SocketIo>, Json(Notification { message }): Json<Notification>) -> Json<Value> {
    let _ = io.emit("notification", &json!({ "message": message })).await;
    Json(json!({ "success": true }))
}

fn is_room_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
}

/// A prefix keeps the rooms that users name apart from those that a library may have of its own.
fn channel(room: &str) -> String {
    format!("room:{room}")
}
