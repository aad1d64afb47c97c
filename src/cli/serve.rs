//! `siospec serve`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{Ended, ServerArgs, Trouble, out};
use crate::{
    mock::{DEFAULT_JWT_SECRET, ReferenceServer, Tls},
    verdict::ExitCode,
};

#[derive(Args)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// HS256 secret that clients' tokens are verified with
    #[arg(long, value_name = "SECRET", env = "SIOSPEC_JWT_SECRET", default_value = DEFAULT_JWT_SECRET, hide_env_values = true)]
    jwt_secret: String,
    /// Redis by which all servers that name it make up one deployment, such as redis://127.0.0.1:6379
    #[arg(long, value_name = "URL", env = "SIOSPEC_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// Certificate by which the server speaks TLS, with those that lead to its root (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn serve(args: ServeArgs) -> Ended {
    // Listened for before anything else, so that no early signal takes the default way out.
    let interrupted = interruption()?;
    let mut options = args.server.options().with_listen(args.listen).with_jwt_secret(args.jwt_secret);
    options.redis = args.redis;
    if let (Some(certificates), Some(key)) = (&args.tls_cert, &args.tls_key) {
        options = options.with_tls(Tls { certificates: read(certificates)?, key: read(key)? });
    }
    let server = ReferenceServer::start(options)
        .await
        .map_err(|error| Trouble::mistake(format!("cannot serve on {}: {}", args.listen, reason(&error))))?;
    // Scripts wait for this one line, and read the URL from it.
    out::print(&format!("listening on {}\n", server.url()))?;
    interrupted.await;
    server.stop().await;
    Ok(ExitCode::Conforms.into())
}

fn read(file: &Path) -> Result<String, Trouble> {
    fs::read_to_string(file).map_err(|error| Trouble::mistake(format!("cannot read {}: {error}", file.display())))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program listens there; --listen 127.0.0.1:0 takes a free port".into(),
        _ => error.to_string(),
    }
}

/// Ends when the process is asked to end: by Ctrl-C, or by whoever supervises it.
pub fn interruption() -> Result<impl Future<Output = ()>, Trouble> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Trouble::new(ExitCode::OwnFault, format!("signals cannot be listened for: {error}")))
        };
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a handler, Ctrl-C ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
