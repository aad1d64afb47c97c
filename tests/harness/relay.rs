//! A relay between siospec and a server, on which something goes wrong once.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The first request that opens a session by this transport is answered 503, and its connection closed.
    Refuses(&'static str),
    /// The first answer that holds this text comes so much later.
    Delays(&'static str, Duration),
    /// Whatever is sent takes between 20 and 300 ms each way, and now and then longer, as on a telephone in a train.
    IsSlow,
}

/// How long what is sent takes on a slow line.
const DELAY_MS: std::ops::RangeInclusive<u64> = 20..=300;
/// One part of so many takes longer, by so much.
const STALLS: u32 = 50;
const STALL: Duration = Duration::from_millis(1_200);
/// Parts that are on their way at once.
const ON_THE_WAY: usize = 256;

pub struct Relay {
    /// Where it listens.
    pub url: String,
    _tasks: JoinSet<()>,
}

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

impl Relay {
    pub async fn start(server: SocketAddr, mishap: Mishap) -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let happened = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let happened = Arc::clone(&happened);
                // Either end may go at any time.
                connections.spawn(async move { drop(relay(client, server, mishap, &happened).await) });
            }
        });
        Ok(Relay { url, _tasks: tasks })
    }
}

async fn relay(mut client: TcpStream, server: SocketAddr, mishap: Mishap, happened: &AtomicBool) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (from_client, to_client) = &mut client.split();
    let (from_server, to_server) = &mut server.split();
    match mishap {
        Mishap::Refuses(transport) => {
            let mut data = vec![0; 64 << 10];
            let mut answers = vec![0; 64 << 10];
            loop {
                tokio::select! {
                    length = from_client.read(&mut data) => {
                        let sent = &data[..length?];
                        if opens_session(sent, transport) && !happened.swap(true, Ordering::SeqCst) {
                            to_client.write_all(REFUSAL).await?;
                            return to_client.shutdown().await;
                        }
                        if sent.is_empty() {
                            return to_server.shutdown().await;
                        }
                        to_server.write_all(sent).await?;
                    }
                    length = from_server.read(&mut answers) => {
                        let answer = &answers[..length?];
                        if answer.is_empty() {
                            return to_client.shutdown().await;
                        }
                        to_client.write_all(answer).await?;
                    }
                }
            }
        }
        Mishap::IsSlow => tokio::try_join!(slowly(from_client, to_server), slowly(from_server, to_client)).map(drop),
        Mishap::Delays(text, by) => tokio::try_join!(
            pass(from_client, to_server, None, happened),
            pass(from_server, to_client, Some((text.as_bytes(), by)), happened)
        )
        .map(drop),
    }
}

/// Whether that is the head of a handshake. A connection may have served other requests before.
fn opens_session(sent: &[u8], transport: &str) -> bool {
    let text = String::from_utf8_lossy(sent);
    let line = text.lines().next().unwrap_or_default();
    line.starts_with("GET ") && line.contains(&format!("transport={transport}")) && !line.contains("sid=")
}

/// Passes on what comes, in order, each part when it has been on its way for long enough.
async fn slowly(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let (sender, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let read = async move {
        let mut data = vec![0; 64 << 10];
        loop {
            let length = from.read(&mut data).await?;
            let part = data[..length].to_vec();
            let stall = if rand::random_ratio(1, STALLS) { STALL } else { Duration::ZERO };
            let arrives = Instant::now() + Duration::from_millis(rand::random_range(DELAY_MS)) + stall;
            let is_end = part.is_empty();
            if sender.send((arrives, part)).await.is_err() || is_end {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((arrives, part)) = on_the_way.recv().await {
            // The delay is what the test is about.
            sleep_until(arrives).await;
            if part.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&part).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    delayed: Option<(&[u8], Duration)>,
    happened: &AtomicBool,
) -> io::Result<()> {
    let mut data = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut data).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        if let Some((text, by)) = delayed
            && data[..length].windows(text.len()).any(|part| part == text)
            && !happened.swap(true, Ordering::SeqCst)
        {
            // The delay is what the test is about.
            sleep(by).await;
        }
        to.write_all(&data[..length]).await?;
    }
}
