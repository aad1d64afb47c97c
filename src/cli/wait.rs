//! `siospec wait`.

use std::{path::PathBuf, process::ExitCode as ProcessCode, time::Duration};

use clap::Args;
use tokio::time::{Instant, sleep, timeout};

use super::{Ended, INTERRUPTED, Trouble, out, positive_duration, serve::interruption};
use crate::{
    contract::{self, Contract, Layers},
    lang::Lang,
    message::Message,
    probe::{Untestable, reconnoitre, trust},
    redact::Redactor,
    report::{Progress, text},
    runner::target,
    verdict::ExitCode,
    wire::http::Http,
};

/// Pauses between two looks: soon at first, and never a burden on what is just starting.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Characters that are shown of what a target said.
const LONGEST_QUOTE: usize = 2_000;
/// How long the last look may take.
const LAST_LOOK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct WaitArgs {
    /// The server to wait for, such as http://localhost:3000
    #[arg(value_name = "URL", env = "SIOSPEC_TARGET_URL")]
    url: String,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    timeout: Duration,
    /// Path of the Socket.IO endpoint [default: the contract's, /socket.io]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Path that the application lives below (Nuxt's app.baseURL) [default: the contract's, /]
    #[arg(long, value_name = "PATH")]
    base: Option<String>,
    /// The contract's file, for path and headers [default: siospec.toml in the current directory, if there is one]
    #[arg(long, value_name = "FILE", env = "SIOSPEC_CONFIG")]
    config: Option<PathBuf>,
    /// File with certificates (PEM) of authorities to trust beside the platform's [default: the contract's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Do not look at the target's certificate
    #[arg(long)]
    insecure_tls: bool,
}

pub async fn wait(args: WaitArgs) -> Ended {
    let interrupted = interruption()?;
    let target = target::parse(&args.url).map_err(Trouble::mistake)?;
    let contract = Contract::reach(Layers {
        file: contract::file(args.config.as_deref()).map_err(Trouble::mistake)?,
        // What is empty is a secret that this job is not given, and does not need.
        env: contract::environment().filter(|(_, value)| !value.is_empty()),
        flags: [
            args.path.map(|path| ("path", path)),
            args.base.map(|base| ("base", base)),
            args.ca_file.map(|file| ("ca-file", file)),
            args.insecure_tls.then(|| ("insecure-tls", "true".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })?;
    target.fits(&contract).map_err(Trouble::mistake)?;
    let redactor = Redactor::new();
    contract.conceal_in(&redactor);
    let http = Http::new(&contract.headers, contract.deadline, trust(&contract)).map_err(|error| {
        Trouble::new(ExitCode::OwnFault, format!("no HTTP client could be set up: {}", error.message().text()))
    })?;

    let begun = Instant::now();
    let deadline = begun + args.timeout;
    let address = format!("{}{}", target.origin.as_str().trim_end_matches('/'), contract.path);
    let at = text::visible(&redactor.redact(&address));
    let clean = |message: Message| message.redacted(&redactor, LONGEST_QUOTE);
    let mut progress = Progress::new(false, Lang::default());
    progress.announce(clean(say!("waiting for Socket.IO at {at}, up to {time}", at = address, time = args.timeout)));

    let looking = async {
        let mut last: Option<Untestable> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, reconnoitre(&http, &target.origin, &contract, &redactor)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(untestable)) => {
                    let found = untestable.found();
                    progress.preparing(clean(say!("waiting for {at}: {found}", at = address, found)));
                    last = Some(untestable);
                }
                Err(_) => return Err(last),
            }
            // The last look comes at the end, with time left for an answer.
            let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(LAST_LOOK);
            if left.is_zero() {
                return Err(last);
            }
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    };
    let came = tokio::select! {
        came = looking => came,
        () = interrupted => {
            progress.end();
            return Ok(ProcessCode::from(INTERRUPTED));
        }
    };
    progress.end();
    let took = humantime::format_duration(Duration::from_millis(begun.elapsed().as_millis() as u64));
    match came {
        Ok(()) => {
            out::print(&format!("Socket.IO answers at {at}, after {took}\n"))?;
            Ok(ExitCode::Conforms.into())
        }
        Err(last) => {
            let seen = match last {
                Some(last) => format!("{}\n       {}", redactor.redact(&last.found().text()), last.advice()),
                None => "No look at it came to an end in that time.".to_owned(),
            };
            let lines: Vec<String> = seen.lines().map(text::visible).collect();
            let message = format!("no Socket.IO at {at} within {took}. Seen last:\n       {}", lines.join("\n"));
            Err(Trouble::new(ExitCode::Untestable, message))
        }
    }
}
