//! `siospec run`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode as ProcessCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use tokio::sync::mpsc::unbounded_channel;

use super::{
    Ended, INTERRUPTED, SelectionArgs, ServerArgs, Trouble,
    gate::GateArgs,
    reference,
    report::{OutputArgs, Reports},
    serve::interruption,
    transcript::Transcripts,
};
use crate::{
    catalogue::{Check, Effect},
    contract::{self, Contract, Layers},
    gate,
    message::{Joint, Message, list},
    probe::{Untestable, is_this_machine},
    redact::Redactor,
    report::{Progress, text, words},
    runner::{
        self, DEFAULT_JOBS, Event, Group, Plan, Runner,
        reproduce::{self, word},
        target,
    },
    verdict::{CheckResult, ExitCode, RunReport},
};

/// What messages call the contract that the reference server brings along.
pub(super) const REFERENCE_CONTRACT: &str = "the reference server's contract";

#[derive(Args)]
pub struct RunArgs {
    /// The server to check, such as http://localhost:3000; without one, the reference server is started and checked
    #[arg(value_name = "URL", env = "SIOSPEC_TARGET_URL")]
    url: Option<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// How many checks run at once, and the most connections that a check opens at once unless it needs more
    #[arg(long, help_heading = "Checks", value_name = "N", default_value_t = DEFAULT_JOBS as u16, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Skip checks that must wait longer than this, such as 10s; the report names them [default: 10m]
    #[arg(long, help_heading = "Checks", value_name = "DURATION", value_parser = humantime::parse_duration)]
    max_wait: Option<Duration>,
    /// Send at most this many requests per second, such as 20/s
    #[arg(long, help_heading = "Checks", value_name = "N/s", value_parser = rate)]
    rate: Option<f64>,
    /// Skip checks that other users would notice: those that notify every connected user, may take a fragile server down or keep everybody out for a while
    #[arg(long, help_heading = "Checks")]
    safe: bool,
    /// The contract's file [default: siospec.toml in the current directory, if there is one and a URL is given]
    #[arg(long, help_heading = "Contract", value_name = "FILE", env = "SIOSPEC_CONFIG")]
    config: Option<PathBuf>,
    /// Say how each check ends, not only those that fail
    #[arg(long, short, help_heading = "Output")]
    verbose: bool,
    /// Print every message sent and received, with times; with a folder, write one file per failed check instead
    #[arg(long, help_heading = "Output", value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    transcript: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    server: ServerArgs,
}

pub async fn run(args: RunArgs, flags: Vec<(&'static str, String)>) -> Ended {
    let mut interrupted = Box::pin(interruption()?);
    let mut checks = args.selection.selection()?.checks();
    if checks.is_empty() {
        return Err(Trouble::new(ExitCode::NothingMatched, "--skip leaves none of the checks that --only names"));
    }
    if let Some(shard) = args.gate.shard() {
        let selected = text::count(checks.len(), "selected check");
        checks.retain(|check| shard.holds(check.id));
        if checks.is_empty() {
            let message = format!("none of the {selected} is in shard {shard}; make fewer shards, or select more");
            return Err(Trouble::new(ExitCode::NothingMatched, message));
        }
    }
    let target = args.url.as_deref().map(target::parse).transpose().map_err(Trouble::mistake)?;
    if let (Some(target), Some(flag)) = (&target, args.server.given()) {
        return Err(Trouble::mistake(format!(
            "{flag} is about the reference server, which is not started when there is a URL ({})",
            target.origin
        )));
    }
    let reports = Reports::new(&args.output)?;
    let transcripts = Transcripts::new(args.transcript.as_deref())?;
    let reproduction = reproduction(&args, &flags, target.is_none());
    let reference = args.server.short_options();
    let contract = Contract::load(Layers {
        file: match contract_file(args.config.as_deref(), target.is_some())? {
            None if target.is_none() => Some((PathBuf::from(REFERENCE_CONTRACT), reference.contract())),
            file => file,
        },
        env: contract::environment().chain(reference.variables().filter(|_| target.is_none())),
        flags: flags.clone(),
    })?;
    let rules = args.gate.rules(&contract)?;

    let redactor = Redactor::new();
    let mut progress = Progress::new(args.verbose, reports.lang());
    let starting = async {
        let Some(target) = target else {
            let request = reference::Request {
                server: &args.server,
                contract,
                flags,
                is_own_contract: args.config.is_none(),
                checks,
                jobs: args.jobs.into(),
                max_wait: args.max_wait,
                rate: args.rate,
                reproduction,
                redactor: &redactor,
            };
            let (servers, runners) = reference::start(request).await?;
            return Ok((Some(servers), runners));
        };
        target.fits(&contract).map_err(Trouble::mistake)?;
        if !is_this_machine(&target.origin) {
            let is_run = |check: &&Check| !args.safe || check.felt_by_others().is_none();
            progress.announce(what_it_does(&checks.iter().copied().filter(is_run).collect::<Vec<_>>()));
        }
        progress.preparing(say!("looking at {origin}", origin = target.origin.to_string()));
        let plan = Plan {
            origin: target.origin,
            reference: false,
            contract,
            checks,
            unjudged: Vec::new(),
            jobs: args.jobs.into(),
            max_wait: args.max_wait,
            rate: args.rate,
            flags: reproduction,
        };
        let runner = Runner::new(plan, redactor.clone()).await;
        Ok((None, vec![runner.map_err(|found| untestable(&found, &redactor))?]))
    };
    let started = tokio::select! {
        started = starting => Some(started),
        () = &mut interrupted => None,
    };
    let (servers, runners) = match started {
        Some(Ok(started)) => started,
        Some(Err(trouble)) => {
            progress.end();
            return Err(trouble);
        }
        None => {
            progress.end();
            return Ok(ProcessCode::from(INTERRUPTED));
        }
    };

    let (events, mut told) = unbounded_channel();
    let rules = Arc::new(rules);
    let held_to = Arc::clone(&rules);
    let mut runner = Group::new(runners)
        .with_retries(args.gate.retries())
        .with_events(events)
        .held_to(move |result| held_to.refuses(result));
    if transcripts.needs_all() {
        runner = runner.keeping_transcripts();
    }
    if args.safe {
        runner = runner.sparing_others();
    }
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let mut rounds: Vec<RunReport> = Vec::new();
    let mut is_whole = true;
    while is_whole && rounds.len() < args.gate.repeat() as usize {
        if args.gate.repeat() > 1 {
            progress.announce(say!("run {number} of {all}", number = rounds.len() + 1, all = args.gate.repeat()));
        }
        let (begun, started) = (Instant::now(), runner::now());
        let mut seen: Vec<CheckResult> = Vec::new();
        let next = runner.again();
        let mut running = Box::pin(std::mem::replace(&mut runner, next).run());
        let report = loop {
            tokio::select! {
                // What was told before the end is shown before the end.
                biased;
                Some(mut event) = told.recv() => {
                    if let Event::Finished(result) = &mut event {
                        rules.apply(result);
                    }
                    progress.follow(&event);
                    if let Event::Finished(result) = event {
                        seen.push(*result);
                    }
                }
                report = &mut running => break Some(report),
                () = &mut interrupted => break None,
                _ = clock.tick() => progress.tick(),
            }
        };
        is_whole = report.is_some();
        let round = rounds.len() + 1;
        match (report, rounds.last_mut()) {
            (Some(report), _) => rounds.push(report),
            // What was judged before stays judged.
            (None, Some(last)) => {
                last.notes.push(say!("interrupted in run {round} of {all}", round, all = args.gate.repeat()))
            }
            (None, None) => {
                rounds.push(runner.interrupted(&seen, begun, &started));
            }
        }
    }
    progress.end();
    let mut report = gate::rounds(rounds).expect("there is one round at least");
    rules.apply_to_all(&mut report);
    report.ended = (!is_whole).then_some(INTERRUPTED);
    transcripts.write(&mut report, reports.take_stdout())?;
    reports.write(&mut report)?;
    if let Some(servers) = servers {
        servers.stop().await;
    }
    if is_whole
        && report.exit_code() == ExitCode::NothingMatched
        && let Some(incomplete) = words::incomplete(&report.results)
    {
        return Err(Trouble::new(ExitCode::NothingMatched, incomplete.text()));
    }
    Ok(ProcessCode::from(report.process_code()))
}

/// A rate as `--rate` takes it: `20/s`, or `20`.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches("/s").trim_end().parse();
    match number {
        Ok(rate) if (0.1..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("no rate such as 20/s, of at least 0.1/s".into()),
    }
}

/// What a run of these checks does to a target that may be somebody's production.
fn what_it_does(checks: &[&'static Check]) -> Message {
    let count = |effect: Effect| checks.iter().filter(|check| check.effects.contains(&effect)).count();
    let told = Effect::ALL.map(|effect| (count(effect), effect.meaning()));
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<Message> = told.map(|(count, meaning)| say!("{count} {meaning}", count, meaning)).collect();
    let told = match told.is_empty() {
        true => "".into(),
        false => say!("; of them {told}", told = list(told, Joint::Comma)),
    };
    say!(
        "{count} check will be run against a target that is not this machine{told} (`siospec list --effects`; --safe \
         leaves out those that affect other users)"
            | "{count} checks will be run against a target that is not this machine{told} (`siospec list --effects`; \
               --safe leaves out those that affect other users)",
        count = checks.len(),
        told
    )
}

/// The contract's file. The one in the current directory describes the user's own deployment, so it is left aside where
/// siospec checks its reference server.
fn contract_file(config: Option<&Path>, has_target: bool) -> Result<Option<(PathBuf, String)>, Trouble> {
    if config.is_none() && !has_target {
        return Ok(None);
    }
    contract::file(config).map_err(Trouble::mistake)
}

/// What is said of a target that cannot be tested.
pub(super) fn untestable(found: &Untestable, redactor: &Redactor) -> Trouble {
    let message = format!("{}\n{}", text::visible(&redactor.redact(&found.found().text())), found.advice());
    let wrapped: Vec<String> = message.lines().flat_map(|line| text::wrap(line, text::width() - 7)).collect();
    Trouble::new(ExitCode::Untestable, wrapped.join("\n       "))
}

/// The flags that make another run see the same. Secrets are named, not shown.
fn reproduction(args: &RunArgs, flags: &[(&'static str, String)], is_reference: bool) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(config) = &args.config {
        words.extend(["--config".to_owned(), word(&config.to_string_lossy())]);
    }
    words.extend(reproduce::flags(flags));
    if is_reference {
        words.extend(args.server.flags());
    }
    words
}
