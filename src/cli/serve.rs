//! `siospec serve`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use jsonwebtoken::Algorithm;

use super::{Ended, ServerArgs, Trouble, out};
use crate::{
    mock::{Carrier, DEFAULT_JWT_SECRET, Options, Profile, ReferenceServer, Tls},
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
    /// What to serve
    #[arg(long, value_enum, default_value_t = ProfileArg::Deployment)]
    profile: ProfileArg,
    /// File with the public key (PEM) that clients' tokens are verified with, instead of the secret
    #[arg(long, value_name = "FILE")]
    jwt_public_key_file: Option<PathBuf>,
    /// Signature algorithm of that key
    #[arg(long, value_name = "NAME", default_value = "RS256", requires = "jwt_public_key_file")]
    jwt_algorithm: Algorithm,
    /// Issuer (iss) that tokens must have
    #[arg(long, value_name = "TEXT")]
    jwt_issuer: Option<String>,
    /// Audience (aud) that tokens must have
    #[arg(long, value_name = "TEXT")]
    jwt_audience: Option<String>,
    /// What carries clients' tokens
    #[arg(long, value_name = "NAME", default_value = "payload", value_parser = ["payload", "header", "cookie", "query"])]
    auth_carrier: String,
    /// The field, header, cookie or parameter that holds a token
    #[arg(long, value_name = "TEXT", default_value = "token")]
    auth_token_field: String,
    /// Refuse REST calls without a valid token (Authorization: Bearer …)
    #[arg(long)]
    rest_credentials: bool,
    /// Offer connection state recovery
    #[arg(long)]
    recovery: bool,
    /// Keep the server, and with it the connections, when /__siospec/reload is called
    #[arg(long)]
    reload_in_place: bool,
    /// Redis server, such as redis://127.0.0.1:6379; all servers started with the same one form one deployment
    #[arg(long, value_name = "URL", env = "SIOSPEC_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// TLS certificate of the server, followed by its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    /// A deployment of the default contract
    Deployment,
    /// What the test suites of the two protocols need: /socket.io/ echoes events, and /engine.io/ is an Engine.IO
    /// endpoint that echoes every message; no token; heartbeat 300 ms, timeout 200 ms
    Protocol,
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Profile {
        match profile {
            ProfileArg::Deployment => Profile::Deployment,
            ProfileArg::Protocol => Profile::Protocol,
        }
    }
}

/// What carries tokens, by its name.
pub(super) fn carrier(name: &str) -> Carrier {
    Carrier::ALL.into_iter().find(|carrier| carrier.name() == name).unwrap_or_default()
}

pub async fn serve(args: ServeArgs) -> Ended {
    // Listened for before anything else, so that no early signal takes the default way out.
    let interrupted = interruption()?;
    let options = args.server.over(Options::default().with_profile(args.profile.into()));
    let mut options = Options {
        issuer: args.jwt_issuer,
        audience: args.jwt_audience,
        carrier: carrier(&args.auth_carrier),
        token_field: args.auth_token_field,
        rest_credentials: args.rest_credentials,
        recovery: args.recovery,
        reloads_in_place: args.reload_in_place,
        redis: args.redis,
        ..options.with_listen(args.listen).with_jwt_secret(args.jwt_secret)
    };
    if let Some(file) = &args.jwt_public_key_file {
        let mistake = |reason| Trouble::mistake(format!("--jwt-public-key-file {}: {reason}", file.display()));
        options = options.with_jwt_public_key(read(file)?, args.jwt_algorithm).map_err(mistake)?;
    }
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

/// Ends when the process is asked to end: by Ctrl-C, by whoever supervises it, or because its terminal is gone.
pub fn interruption() -> Result<impl Future<Output = ()>, Trouble> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Trouble::new(ExitCode::OwnFault, format!("signals cannot be listened for: {error}")))
        };
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let mut hang_up = listen(SignalKind::hangup())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
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
