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
    /// The first connection whose first request opens a session by this transport is answered 503.
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

/// Bytes of a request's head, at the most.
const LONGEST_HEAD: usize = 16 << 10;

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
    let head = read_head(&mut client).await?;
    if let Mishap::Refuses(transport) = mishap {
        let line = String::from_utf8_lossy(&head);
        let line = line.lines().next().unwrap_or_default();
        let opens = line.contains(&format!("transport={transport}")) && !line.contains("sid=");
        if opens && !happened.swap(true, Ordering::SeqCst) {
            let refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(refusal).await?;
            return client.shutdown().await;
        }
    }
    let mut server = TcpStream::connect(server).await?;
    if mishap == Mishap::IsSlow {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = slowly(Some(head), &mut from_client, &mut to_server);
        let down = slowly(None, &mut from_server, &mut to_client);
        return tokio::try_join!(up, down).map(drop);
    }
    server.write_all(&head).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = match mishap {
        Mishap::Delays(text, by) => Some((text.as_bytes(), by)),
        Mishap::Refuses(_) | Mishap::IsSlow => None,
    };
    tokio::try_join!(
        pass(&mut from_client, &mut to_server, None, happened),
        pass(&mut from_server, &mut to_client, answers, happened)
    )
    .map(drop)
}

async fn read_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD || client.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

/// Passes on what comes, in order, each part when it has been on its way for long enough.
async fn slowly(
    head: Option<Vec<u8>>,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let (sender, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let read = async move {
        let mut data = vec![0; 64 << 10];
        let mut head = head;
        loop {
            let part = match head.take() {
                Some(head) => head,
                None => {
                    let length = from.read(&mut data).await?;
                    data[..length].to_vec()
                }
            };
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
