//! Proxies as they stand in front of a deployment: nginx, haproxy, Apache and Caddy, each with the configuration that a test
//! gives.

use std::{fmt, fs, net::TcpListener, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use super::process::{Complaint, Group};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Nginx, Kind::Haproxy, Kind::Apache, Kind::Caddy];

    /// The program's name.
    pub const fn program(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::Apache => "apache2",
            Kind::Caddy => "caddy",
        }
    }

    /// What every configuration begins with; `@FOLDER` is a folder of the proxy's own.
    fn preamble(self) -> &'static str {
        match self {
            Kind::Nginx => {
                "daemon off; pid @FOLDER/pid; error_log stderr; worker_rlimit_nofile 4096;\n\
                 events { worker_connections 4096; }\n"
            }
            Kind::Haproxy => {
                "global\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            }
            Kind::Apache => {
                "ServerRoot /usr/lib/apache2\nServerName localhost\nPidFile @FOLDER/pid\nErrorLog @FOLDER/errors\n\
                 DefaultRuntimeDir @FOLDER\n\
                 LoadModule mpm_event_module modules/mod_mpm_event.so\n\
                 LoadModule authz_core_module modules/mod_authz_core.so\n\
                 LoadModule proxy_module modules/mod_proxy.so\n\
                 LoadModule proxy_http_module modules/mod_proxy_http.so\n\
                 LoadModule proxy_wstunnel_module modules/mod_proxy_wstunnel.so\n\
                 LoadModule rewrite_module modules/mod_rewrite.so\n"
            }
            Kind::Caddy => "{\n  admin off\n  auto_https off\n  storage file_system @FOLDER\n}\n",
        }
    }

    fn command(self, file: &str) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Kind::Nginx => command.args(["-c", file]),
            Kind::Haproxy => command.args(["-db", "-f", file]),
            Kind::Apache => command.args(["-D", "FOREGROUND", "-f", file]),
            Kind::Caddy => command.args(["run", "--adapter", "caddyfile", "--config", file]),
        };
        command
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// A proxy that runs until this is dropped.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    process: Group,
    folder: TempDir,
}

/// How often another port is tried: a free one may be taken before the proxy has it.
const ATTEMPTS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(20);
/// What is put in front of a configuration's port, and replaced by it.
const PORT: &str = "@PORT";

impl Proxy {
    /// Starts it with this configuration, in which `@PORT` is where it listens.
    pub async fn start(kind: Kind, configuration: &str) -> Result<Proxy, Complaint> {
        let mut complaint = Complaint(String::new());
        for _ in 0..ATTEMPTS {
            match Proxy::start_once(kind, configuration).await {
                Ok(proxy) => return Ok(proxy),
                Err(error) => complaint = error,
            }
        }
        Err(complaint)
    }

    async fn start_once(kind: Kind, configuration: &str) -> Result<Proxy, Complaint> {
        let said = |error: std::io::Error| Complaint(format!("{kind}: {error}"));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(said)?.port();
        let folder = tempfile::tempdir().map_err(said)?;
        let text = format!("{}{configuration}", kind.preamble());
        let text = text.replace("@FOLDER", &folder.path().to_string_lossy()).replace(PORT, &port.to_string());
        let file = folder.path().join("configuration");
        fs::write(&file, text).map_err(said)?;
        let errors = fs::File::create(folder.path().join("said")).map_err(said)?;
        let mut command = kind.command(&file.to_string_lossy());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        command.env("HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
        let process = Group::start(&mut command).map_err(said)?;
        let mut proxy = Proxy { url: format!("http://127.0.0.1:{port}"), process, folder };
        let deadline = Instant::now() + PATIENCE;
        // None of them says when it listens in a way that the others do.
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = proxy.process.0.try_wait().map_err(said)?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(Complaint(format!("{kind} does not listen: {}", proxy.said())));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(proxy)
    }

    /// What it wrote to standard error.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}
