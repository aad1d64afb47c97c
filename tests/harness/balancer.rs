//! A balancer that knows nothing of sessions: each TCP connection goes to the next server.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub struct Balancer {
    /// Where it listens.
    pub url: String,
    _tasks: JoinSet<()>,
}

impl Balancer {
    pub async fn start(servers: Vec<SocketAddr>) -> std::io::Result<Balancer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for server in servers.into_iter().cycle() {
                let Ok((mut client, _)) = listener.accept().await else { return };
                connections.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(server).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Ok(Balancer { url, _tasks: tasks })
    }
}
