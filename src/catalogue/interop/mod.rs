//! Client libraries other than siospec's own probe, as they come from their registry.

mod rust_socketio;

use super::checks;

checks![rust_socketio];

/// A TCP relay on this machine, between a client library and the target. A connection that is cut here looks, to either
/// end, as if the other had dropped it.
#[cfg(feature = "interop")]
mod relay {
    use std::{
        io,
        net::{Ipv4Addr, SocketAddr},
    };

    use tokio::{
        net::{TcpListener, TcpStream},
        sync::{mpsc, oneshot},
        task::JoinSet,
    };

    /// A running relay. Dropping it ends it with all its connections.
    pub struct Relay {
        address: SocketAddr,
        cuts: mpsc::Sender<oneshot::Sender<()>>,
        _task: JoinSet<()>,
    }

    impl Relay {
        /// Relays to `host`.
        pub async fn start(host: String, port: u16) -> io::Result<Relay> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let (cuts, asked) = mpsc::channel(1);
            let mut task = JoinSet::new();
            task.spawn(run(listener, host, port, asked));
            Ok(Relay { address, cuts, _task: task })
        }

        /// Where it listens.
        pub fn address(&self) -> SocketAddr {
            self.address
        }

        /// Cuts every connection there is; later ones are relayed as before.
        pub async fn cut(&self) {
            let (done, cut) = oneshot::channel();
            // The task lives as long as the relay.
            if self.cuts.send(done).await.is_ok() {
                let _ = cut.await;
            }
        }
    }

    async fn run(listener: TcpListener, host: String, port: u16, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok((client, _)) = listener.accept() => {
                    connections.spawn(relay(client, host.clone(), port));
                }
                Some(done) = asked.recv() => {
                    connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(_) = connections.join_next() => {}
                else => return,
            }
        }
    }

    async fn relay(mut client: TcpStream, host: String, port: u16) {
        if let Ok(mut target) = TcpStream::connect((host.as_str(), port)).await {
            // An error is the end of either connection, and ends both.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
        }
    }
}
