//! A proxy that serves so many requests, and answers every one after that by 503: a deployment that breaks down under its
//! load, or closes itself off from whoever asks too much.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout},
};

/// Where the proxy listens; it ends when this is dropped.
pub struct Overload {
    pub url: String,
    broken: Arc<OnceLock<Instant>>,
    _tasks: JoinSet<()>,
}

/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;
/// How long a client may take to read its 503.
const READ_WITHIN: Duration = Duration::from_secs(1);

impl Overload {
    /// A proxy in front of that server. `retry_after` says whether its 503 tells when to come back.
    pub async fn start(server: SocketAddr, requests: usize, retry_after: bool) -> std::io::Result<Overload> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (served, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::new()));
        let mut tasks = JoinSet::new();
        let since = Arc::clone(&broken);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (served, since) = (Arc::clone(&served), Arc::clone(&since));
                connections.spawn(async move {
                    let is_too_much = || served.fetch_add(1, Ordering::Relaxed) >= requests;
                    let _ = pass(client, server, is_too_much, retry_after, &since).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Overload { url, broken, _tasks: tasks })
    }

    /// Since when everything is answered by 503.
    pub fn broken_since(&self) -> Option<Instant> {
        self.broken.get().copied()
    }
}

/// Passes one request on, or refuses it. Each comes on a connection of its own, so that each is counted.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    is_too_much: impl Fn() -> bool,
    retry_after: bool,
    since: &OnceLock<Instant>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let line = loop {
        if bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            break bytes.windows(2).position(|two| two == b"\r\n").unwrap_or_default() + 2;
        }
        if bytes.len() > MAX_HEAD || client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    if is_too_much() {
        since.get_or_init(Instant::now);
        let when = if retry_after { "Retry-After: 30\r\n" } else { "" };
        let answer =
            format!("HTTP/1.1 503 Service Unavailable\r\n{when}Content-Length: 0\r\nConnection: close\r\n\r\n");
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await?;
        // A connection that is closed with something unread is reset, and the answer may be lost with it.
        let mut rest = [0; 4096];
        let _ = timeout(READ_WITHIN, async { while client.read(&mut rest).await.is_ok_and(|read| read > 0) {} }).await;
        return Ok(());
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    if !head.contains("\r\nupgrade:") {
        bytes.splice(line..line, *b"Connection: close\r\n");
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(&bytes).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
