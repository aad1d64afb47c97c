//! A Redis server of a test's own, without anything kept on disk.

use std::{net::TcpListener, time::Duration};

use tempfile::TempDir;
use tokio::process::Command;

use super::process::{Complaint, Service};

pub struct Redis {
    /// Where it listens.
    pub url: String,
    _service: Service,
    _folder: TempDir,
}

/// How often another port is tried: a free one may be taken before Redis has it.
const ATTEMPTS: usize = 5;

impl Redis {
    pub async fn start() -> Result<Redis, Complaint> {
        let mut complaint = Complaint(String::new());
        for _ in 0..ATTEMPTS {
            match Redis::start_once().await {
                Ok(redis) => return Ok(redis),
                Err(error) => complaint = error,
            }
        }
        Err(complaint)
    }

    async fn start_once() -> Result<Redis, Complaint> {
        let said = |error: std::io::Error| Complaint(format!("redis-server: {error}"));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(said)?.port();
        let folder = tempfile::tempdir().map_err(said)?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        command.current_dir(folder.path());
        let mut service = Service::start(&mut command).map_err(said)?;
        service.word_after("Ready to accept connections", Duration::from_secs(20)).await?;
        Ok(Redis { url: format!("redis://127.0.0.1:{port}"), _service: service, _folder: folder })
    }
}
