//! The command line: what can be asked of siospec, and what the process comes to.

mod explore;
mod gate;
mod init;
mod manual;
mod out;
mod reference;
mod report;
mod run;
mod serve;
mod transcript;
mod wait;

use std::{
    panic::AssertUnwindSafe,
    process::ExitCode as ProcessCode,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use futures::FutureExt;

use crate::{
    catalogue::{Selection, SelectionError},
    contract,
    mock::{Fault, Options, Scenario},
    report::text::{self, RED, styled},
    verdict::ExitCode,
};

/// What a shell makes of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

const EXIT_CODES: &str = "\
Exit codes:
  0    conforms: no MUST check failed, and every check that ran could be judged
  1    does not conform: at least one MUST check failed (or what else --fail-on names)
  2    a flag, a variable or the contract file is wrong
  3    the target cannot be tested: unreachable, or no Socket.IO there
  4    not enough was judged: no check matches the selection, all selected checks were skipped, or MUST checks were
       skipped for lack of a token (--allow-incomplete accepts the last)
  5    siospec or the network could not do its part, or the target went down meanwhile
  130  interrupted by Ctrl-C";

/// Checks that a Socket.IO deployment keeps to the protocol and to the team's checklist.
#[derive(Parser)]
#[command(name = "siospec", version, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a server, or without a URL the built-in reference server
    #[command(after_help = EXIT_CODES)]
    Run(run::RunArgs),
    /// Start the reference server: a correct Socket.IO deployment, or one with chosen faults
    Serve(serve::ServeArgs),
    /// Wait until a Socket.IO server answers
    Wait(wait::WaitArgs),
    /// Accept the failures of a run: later runs tell them from new ones
    Baseline(gate::BaselineArgs),
    /// Compare two runs: what is fixed, broken, changed; ends with 1 on a regression
    Diff(gate::DiffArgs),
    /// Make one report of several: of the shards of a CI matrix
    Merge(gate::MergeArgs),
    /// List the checks
    List(explore::ListArgs),
    /// Explain one check: what it looks at, why, and what to do when it fails
    Explain(explore::ExplainArgs),
    /// List the faults and scenarios that the reference server can be started with
    Faults,
    /// Write a siospec.toml with every key, commented out
    Init(init::InitArgs),
    /// Print the completions for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(manual::ManArgs),
}

/// Which checks.
#[derive(Args)]
struct SelectionArgs {
    /// Only these checks: ids, areas (`auth`) or patterns (`*-token`), separated by commas
    #[arg(long, help_heading = "Checks", value_name = "IDS", value_delimiter = ',')]
    only: Vec<String>,
    /// All but these checks
    #[arg(long, help_heading = "Checks", value_name = "IDS", value_delimiter = ',')]
    skip: Vec<String>,
}

impl SelectionArgs {
    fn selection(&self) -> Result<Selection, Trouble> {
        Selection::new(&self.only, &self.skip).map_err(|error| {
            let code = match error {
                SelectionError::Nothing { .. } => ExitCode::NothingMatched,
                SelectionError::Pattern { .. } => ExitCode::UsersMistake,
            };
            Trouble::new(code, error.to_string())
        })
    }
}

/// How the reference server is to behave, whichever command starts it.
#[derive(Args)]
#[command(next_help_heading = "Reference server")]
struct ServerArgs {
    /// Time between two heartbeats, such as 300ms [default: 25s; for --profile protocol, 300ms; for a run without a URL, 500ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    ping_interval: Option<Duration>,
    /// How long a heartbeat may stay unanswered [default: 20s; for --profile protocol, 200ms; for a run without a URL, 800ms]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    ping_timeout: Option<Duration>,
    /// How long a session may live without a CONNECT [default: 45s; for a run without a URL, 6s, and 1s for the check of it]
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    connect_timeout: Option<Duration>,
    /// Make it misbehave; `siospec faults` lists the names
    #[arg(long = "fault", value_name = "NAME", value_delimiter = ',')]
    faults: Vec<Fault>,
    /// Make it a broken deployment: several faults of one cause; `siospec faults` lists the names
    #[arg(long, value_name = "NAME")]
    scenario: Option<Scenario>,
}

impl ServerArgs {
    /// With waits so short that a run, which sits them out, is over in a few seconds, and insisting on all that a contract
    /// can declare.
    fn short_options(&self) -> Options {
        let options = Options::default()
            .with_ping_interval(Duration::from_millis(500))
            .with_ping_timeout(Duration::from_millis(800))
            .with_connect_timeout(Duration::from_secs(6));
        self.over(options.guarded())
    }

    fn over(&self, options: Options) -> Options {
        Options {
            ping_interval: self.ping_interval.unwrap_or(options.ping_interval),
            ping_timeout: self.ping_timeout.unwrap_or(options.ping_timeout),
            connect_timeout: self.connect_timeout.unwrap_or(options.connect_timeout),
            ..options.with_faults(self.faults.iter().copied()).with_scenario(self.scenario)
        }
    }

    /// The flags that make another run's server behave alike.
    fn flags(&self) -> Vec<String> {
        let duration = |name: &str, value: &Option<Duration>| {
            // Without its blanks: `1m30s`.
            value.map(|value| vec![name.to_owned(), humantime::format_duration(value).to_string().replace(' ', "")])
        };
        let faults = self.faults.iter().map(|fault| vec!["--fault".to_owned(), fault.name().to_owned()]);
        let durations = [
            duration("--ping-interval", &self.ping_interval),
            duration("--ping-timeout", &self.ping_timeout),
            duration("--connect-timeout", &self.connect_timeout),
        ];
        let scenario = self.scenario.map(|scenario| vec!["--scenario".to_owned(), scenario.name().to_owned()]);
        durations.into_iter().flatten().chain(faults).chain(scenario).flatten().collect()
    }

    /// The first of these flags that was given.
    fn given(&self) -> Option<&'static str> {
        let given = [
            (self.ping_interval.is_some(), "--ping-interval"),
            (self.ping_timeout.is_some(), "--ping-timeout"),
            (self.connect_timeout.is_some(), "--connect-timeout"),
            (!self.faults.is_empty(), "--fault"),
            (self.scenario.is_some(), "--scenario"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; write 300ms, or 25s"))?;
    match duration {
        duration if duration.as_millis() == 0 => Err("must be at least 1ms".to_owned()),
        duration if duration > contract::MAX_DURATION => Err("must be one day at most".to_owned()),
        duration => Ok(duration),
    }
}

/// Why a command ends without having done what it was asked: one message, on standard error.
struct Trouble {
    code: ExitCode,
    message: String,
}

impl Trouble {
    fn new(code: ExitCode, message: impl AsRef<str>) -> Trouble {
        Trouble { code, message: format!("{} {}", styled("error:", RED), message.as_ref()) }
    }

    fn mistake(message: impl AsRef<str>) -> Trouble {
        Trouble::new(ExitCode::UsersMistake, message)
    }
}

impl From<contract::Error> for Trouble {
    fn from(error: contract::Error) -> Trouble {
        // Its own rendering begins with `error:` for each mistake.
        Trouble { code: ExitCode::UsersMistake, message: error.render(true) }
    }
}

/// How a command ends.
type Ended = Result<ProcessCode, Trouble>;

/// Does what the command line asks.
pub async fn main() -> ProcessCode {
    catch_panics_quietly();
    match AssertUnwindSafe(obey()).catch_unwind().await {
        Ok(Ok(code)) => code,
        Ok(Err(trouble)) => {
            text::say(&trouble.message);
            trouble.code.into()
        }
        Err(_) => {
            let what = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            text::say(&format!(
                "{} siospec {} crashed: {what}\nThis is a bug in siospec. Please report it with this message and the \
                 command line; RUST_BACKTRACE=1 shows more.",
                styled("error:", RED),
                env!("CARGO_PKG_VERSION"),
            ));
            ExitCode::OwnFault.into()
        }
    }
}

/// The whole command line, the contract's flags included: what is parsed, and what help, manual pages and completions
/// are made from.
pub fn command() -> clap::Command {
    CommandLine::command().mut_subcommand("run", |run| run.args(contract::clap_args()))
}

async fn obey() -> Ended {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody reads the output any more, if this fails.
            let _ = error.print();
            return Ok(if is_help { ExitCode::Conforms } else { ExitCode::UsersMistake }.into());
        }
    };
    let flags = matches.subcommand_matches("run").map(contract::flags_from).unwrap_or_default();
    let command_line = CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match command_line.command {
        Command::Run(args) => run::run(args, flags).await,
        Command::Serve(args) => serve::serve(args).await,
        Command::Wait(args) => wait::wait(args).await,
        Command::Baseline(args) => gate::baseline(&args),
        Command::Diff(args) => gate::diff(&args),
        Command::Merge(args) => gate::merge(&args),
        Command::List(args) => explore::list(&args),
        Command::Explain(args) => explore::explain(&args),
        Command::Faults => explore::faults(),
        Command::Init(args) => init::init(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
}

static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// A panic inside a check is the runner's to report, as that check's result. So no panic prints anything by itself,
/// unless a backtrace is asked for; the last one is kept for [`main`].
fn catch_panics_quietly() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            default(info);
        }
        let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("without a message");
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{text}{place}"));
    }));
}
