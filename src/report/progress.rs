//! What a run says while it goes on, on standard error: a bar on a terminal, plain lines in a log.

use std::{
    collections::{BTreeSet, HashMap},
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::{self, GREEN, RED, YELLOW, styled, visible};
use crate::{
    lang::Lang,
    message::Message,
    runner::Event,
    verdict::{CheckResult, Level, Outcome},
};

/// How long a log may stay silent. CI takes a job for stuck after some minutes of that, and people sooner.
const SILENCE: Duration = Duration::from_secs(20);

/// Follows a run on standard error.
pub struct Progress {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    verbose: bool,
    lang: Lang,
    running: BTreeSet<&'static str>,
    begun: HashMap<&'static str, Instant>,
    total: usize,
    done: usize,
    failed: usize,
    spoke: Instant,
}

impl Progress {
    /// Ready to follow a run. `verbose` gives each check a line; otherwise only those that fail get one, and in a log
    /// only, since on a terminal the scorecard shows them a moment later.
    pub fn new(verbose: bool, lang: Lang) -> Progress {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (std::io::stderr().is_terminal() && !is_dumb).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(template("{spinner} {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress {
            bar,
            verbose,
            lang,
            running: BTreeSet::new(),
            begun: HashMap::new(),
            total: 0,
            done: 0,
            failed: 0,
            spoke: Instant::now(),
        }
    }

    /// Says what goes on before the first check.
    pub fn preparing(&mut self, what: impl Into<Message>) {
        if let Some(bar) = &self.bar {
            bar.set_message(visible(&self.lang.tell(what)));
        }
    }

    /// Says something once, on a terminal above the bar.
    pub fn announce(&mut self, what: impl Into<Message>) {
        self.say(&visible(&self.lang.tell(what)));
    }

    /// Takes in what the run tells.
    pub fn follow(&mut self, event: &Event) {
        match event {
            Event::Begun { target, checks } => {
                self.total = checks.len();
                (self.done, self.failed) = (0, 0);
                match &self.bar {
                    Some(bar) => {
                        bar.set_position(0);
                        bar.set_length(checks.len() as u64);
                        bar.set_style(template("{spinner} {pos}/{len} {bar:20} {wide_msg}"));
                        bar.set_message("");
                    }
                    None => {
                        let (total, target) = (self.total, target.to_string());
                        let what =
                            say!("{total} check against {target}" | "{total} checks against {target}", total, target);
                        self.announce(what);
                    }
                }
            }
            Event::Started(id) => {
                self.running.insert(id);
                self.begun.insert(id, Instant::now());
            }
            Event::Waiting(why) => {
                self.announce(say!("the target no longer answers ({why}); waiting for it", why));
            }
            Event::Finished(result) => {
                self.running.remove(result.id.as_str());
                self.done += 1;
                self.failed += usize::from(result.fails_the_run());
                let is_trouble = matches!(result.outcome, Outcome::Broken { .. } | Outcome::Fail(_))
                    && (result.level > Level::May || matches!(result.outcome, Outcome::Broken { .. }));
                if self.verbose || (self.bar.is_none() && is_trouble) {
                    self.say(&line(result, self.lang));
                }
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
            }
        }
        self.show_running();
    }

    /// To be called now and then: breaks a long silence in a log.
    pub fn tick(&mut self) {
        if self.bar.is_none() && self.total > 0 && self.spoke.elapsed() >= SILENCE {
            let (done, total, running) = (self.done, self.total, self.longest_running());
            self.announce(say!("{done} of {total} checks done; running: {running}", done, total, running));
        }
    }

    /// Leaves nothing behind on the terminal.
    pub fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show_running(&self) {
        let Some(bar) = &self.bar else { return };
        let (failed, running) = (self.failed, self.longest_running());
        let message = if failed > 0 { say!("{failed} failed · {running}", failed, running) } else { running };
        bar.set_message(visible(&self.lang.tell(message)));
    }

    fn longest_running(&self) -> Message {
        let mut running: Vec<_> = self.running.iter().copied().collect();
        running.sort_by_key(|id| self.begun.get(id));
        let more = running.len().saturating_sub(3);
        running.truncate(3);
        let running = running.join(", ");
        if more > 0 { say!("{running}, and {more} more", running, more) } else { running.into() }
    }

    fn say(&mut self, line: &str) {
        self.spoke = Instant::now();
        match &self.bar {
            Some(bar) => bar.suspend(|| text::say(line)),
            None => text::say(line),
        }
    }
}

/// One check in one line: `FAIL auth.expired (MUST) The server accepted an expired token`.
fn line(result: &CheckResult, lang: Lang) -> String {
    let (word, style, rest) = match &result.outcome {
        Outcome::Pass => ("PASS", GREEN, text::duration(result.duration_ms)),
        Outcome::Fail(failure) => {
            let (word, style) = match result.level {
                _ if result.is_waived() => ("WAIVED", text::DIM),
                _ if result.is_flaky() => ("FLAKY", YELLOW),
                Level::Must => ("FAIL", RED),
                Level::Should => ("WARN", YELLOW),
                Level::May => ("NOTE", YELLOW),
            };
            (word, style, format!("({}) {}", result.level.name(), lang.tell(&failure.reason)))
        }
        Outcome::Skip { reason, .. } => ("SKIP", text::DIM, lang.tell(reason)),
        Outcome::Blocked { reason, .. } => ("BLOCKED", text::DIM, lang.tell(reason)),
        Outcome::Broken { reason } => ("UNSURE", YELLOW, lang.tell(say!("could not be judged: {reason}", reason))),
    };
    format!("{} {} {}", styled(word, style), visible(&result.id), visible(&rest))
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text)
        .unwrap_or_else(|error| unreachable!("a template of ours: {error}"))
        .progress_chars("━╸─")
}
