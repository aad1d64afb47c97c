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
    task::JoinSet,
    time::sleep,
};

/// What goes wrong, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The first connection whose first request opens a session by this transport is answered 503.
    Refuses(&'static str),
    /// The first answer that holds this text comes so much later.
    Delays(&'static str, Duration),
}

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
    server.write_all(&head).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = match mishap {
        Mishap::Delays(text, by) => Some((text.as_bytes(), by)),
        Mishap::Refuses(_) => None,
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
