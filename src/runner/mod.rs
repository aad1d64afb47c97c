//! The runner: which checks run, in what order, beside which others, for how long; and what it tells while they do.

mod exchange;
mod group;
mod need;
mod presence;
mod report;
pub mod reproduce;
mod second_look;
mod setup;
pub mod target;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Mutex, OnceCell, RwLock, Semaphore, mpsc},
    task::JoinSet,
};
use url::Url;

pub use group::Group;
pub use report::now;
pub use setup::SetupError;

use self::{need::missing, presence::blame};
use crate::{
    catalogue::{self, Check, Isolation},
    contract::Contract,
    lag::Lag,
    message::Message,
    probe::{Controls, Setting, Tokens, Untestable, admit, own_page, trust},
    redact::Redactor,
    verdict::{CheckResult, Gate, Lack, Outcome, RunReport},
    wire::{Endpoint, Transcript, http::Http},
};

/// How many checks run at once unless told otherwise. Nearly all of a check's time is waiting for the target.
pub const DEFAULT_JOBS: usize = 64;

/// Characters of each text in a message that is not ours; a target decides how long its answers are.
const MAX_QUOTE: usize = 2_000;

/// How many checks run at once while requests are held back, each of which has a few of them to send.
const AT_ONCE_SLOWLY: usize = 4;
/// A target that went down more often is not tried any further.
const MOST_OUTAGES: usize = 6;
/// What would wait longer is left out unless `--max-wait` says otherwise: a target may claim a heartbeat of weeks.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// What a run tells while it goes on. Every output is made from these.
#[derive(Clone, Debug)]
pub enum Event {
    /// The target can be tested, and these checks will be judged.
    Begun {
        /// The target.
        target: String,
        /// The ids, in the catalogue's order.
        checks: Vec<&'static str>,
    },
    /// A check begins.
    Started(&'static str),
    /// A check ended.
    Finished(Box<CheckResult>),
    /// Nobody is there, as that shows, and the run waits.
    Waiting(Message),
}

type Refuses = Arc<dyn Fn(&CheckResult) -> bool + Send + Sync>;

/// What a run is about.
pub struct Plan {
    /// Scheme, host and port of the target.
    pub origin: Url,
    /// Whether the target is the reference server that siospec started itself.
    pub reference: bool,
    /// What the deployment promises.
    pub contract: Contract,
    /// The checks to run.
    pub checks: Vec<&'static Check>,
    /// Those of them that are run for the others' sake: they may block what rests on them, and another run judges them.
    pub unjudged: Vec<&'static str>,
    /// How many run at once.
    pub jobs: usize,
    /// What the protocol would make wait longer is skipped.
    pub max_wait: Option<Duration>,
    /// How many requests are sent a second, at the most.
    pub rate: Option<f64>,
    /// Flags that make `siospec run` see the same contract, for the command that reproduces a result.
    pub flags: Vec<String>,
}

/// A run of checks against one target.
pub struct Runner {
    plan: Arc<Plan>,
    setting: Arc<Setting>,
    results: HashMap<&'static str, OnceCell<CheckResult>>,
    jobs: Semaphore,
    notifications: Mutex<()>,
    rooms: Mutex<()>,
    alone: RwLock<()>,
    /// Held by the few checks that run at a time while requests are held back.
    slowly: Semaphore,
    /// Held by whoever looks whether the target is there: when it was last found to be gone, and how.
    looked: Mutex<Option<(Instant, Message)>>,
    /// What ran from when to when.
    ran: std::sync::Mutex<Vec<(&'static str, tokio::time::Instant, tokio::time::Instant)>>,
    /// Whether a check was seen to be what makes the target go down.
    is_explained: std::sync::Mutex<bool>,
    dev_server: OnceCell<bool>,
    /// How many checks asked for a second look of their own.
    lone_looks: AtomicUsize,
    /// Whether a failure fails the run: only such a one blocks what rests on it.
    refuses: Refuses,
    events: Option<mpsc::UnboundedSender<Event>>,
    retries: u32,
    spares_others: bool,
    keeps_transcripts: bool,
    begun: Instant,
    /// The command that runs the same again, but for the selection.
    command: String,
}

impl Runner {
    /// Looks at the target and makes ready.
    ///
    /// # Errors
    /// [`Untestable`] when no check could say anything sensible about the target.
    pub async fn new(plan: Plan, redactor: Redactor) -> Result<Runner, Untestable> {
        Runner::beside(plan, redactor, Lag::watch()).await
    }

    /// As [`Runner::new`], where other runs in this process are measured by the same `lag`, and take turns by it.
    ///
    /// # Errors
    /// As [`Runner::new`].
    pub async fn beside(mut plan: Plan, redactor: Redactor, lag: Lag) -> Result<Runner, Untestable> {
        plan.contract.conceal_in(&redactor);
        let http = Http::new(&plan.contract.headers, plan.contract.deadline, trust(&plan.contract))
            .map_err(|error| Untestable::Tls(say!("No HTTP client could be set up: {error}.", error)))?
            .at_rate(plan.rate);
        let tokens = Tokens::new(&plan.contract, redactor.clone());
        let transcript = Transcript::new(redactor.clone());
        tokens.log_in_at(
            Endpoint::new(http.clone(), &plan.origin, &plan.contract.path, plan.contract.deadline, transcript)
                .for_page(own_page(&plan.contract)),
        );
        let http = http.carrying(tokens.carried_by_default().await);
        let (http, target) = admit(http, &plan.origin, &plan.contract, &redactor, &tokens).await?;
        tokens.prepare().await;
        if let Some(base) = &target.base {
            plan.contract.move_below(base);
        }
        let setting = Arc::new(Setting {
            contract: plan.contract.clone(),
            target,
            tokens,
            http,
            redactor,
            jobs: plan.jobs,
            lag,
            controls: Controls::default(),
        });
        Ok(Runner::over(Arc::new(plan), setting))
    }

    /// A run of the same checks anew, against the target as it was found.
    #[must_use]
    pub fn again(&self) -> Runner {
        let mut runner = Runner::over(Arc::clone(&self.plan), Arc::clone(&self.setting));
        (runner.retries, runner.keeps_transcripts) = (self.retries, self.keeps_transcripts);
        runner.spares_others = self.spares_others;
        runner.events.clone_from(&self.events);
        runner.refuses = Arc::clone(&self.refuses);
        runner
    }

    fn over(plan: Arc<Plan>, setting: Arc<Setting>) -> Runner {
        let mut words = vec!["siospec".to_owned(), "run".to_owned()];
        if !plan.reference {
            words.push(plan.origin.to_string());
        }
        words.extend(plan.flags.iter().cloned());
        // Secrets are hidden in it once: looking for them takes longer than most checks.
        let command = setting.redactor.redact(&words.join(" "));
        Runner {
            setting,
            results: plan.checks.iter().map(|check| (check.id, OnceCell::new())).collect(),
            jobs: Semaphore::new(plan.jobs.max(1)),
            notifications: Mutex::default(),
            rooms: Mutex::default(),
            alone: RwLock::default(),
            slowly: Semaphore::new(AT_ONCE_SLOWLY),
            looked: Mutex::default(),
            ran: std::sync::Mutex::default(),
            is_explained: std::sync::Mutex::default(),
            dev_server: OnceCell::new(),
            lone_looks: AtomicUsize::new(0),
            refuses: Arc::new(|result| Gate::default().refuses(result)),
            events: None,
            retries: 0,
            spares_others: false,
            keeps_transcripts: false,
            begun: Instant::now(),
            command,
            plan,
        }
    }

    /// Tries a check that fails, or cannot be judged, up to so many times more. One that passes then is flaky.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Runner {
        self.retries = retries;
        self
    }

    /// Leaves out, by name, what others than siospec's own clients would feel.
    #[must_use]
    pub fn sparing_others(mut self) -> Runner {
        self.spares_others = true;
        self
    }

    /// Lets a failed check block what rests on it only where `refuses` says that the failure fails the run. Unless told
    /// otherwise, that is every failure of the level MUST.
    #[must_use]
    pub fn held_to(mut self, refuses: impl Fn(&CheckResult) -> bool + Send + Sync + 'static) -> Runner {
        self.refuses = Arc::new(refuses);
        self
    }

    /// Keeps the transcripts of checks that pass as well.
    #[must_use]
    pub fn keeping_transcripts(mut self) -> Runner {
        self.keeps_transcripts = true;
        self
    }

    /// Tells `events` what goes on.
    #[must_use]
    pub fn with_events(mut self, events: mpsc::UnboundedSender<Event>) -> Runner {
        self.events = Some(events);
        self
    }

    /// Runs all checks of the plan, side by side as far as they get along.
    pub async fn run(self: Arc<Self>) -> RunReport {
        self.tell(Event::Begun { target: self.plan.origin.to_string(), checks: self.judged().collect() });
        let keeps_transcripts = self.keeps_transcripts;
        let mut report = self.judge_all().await;
        if !keeps_transcripts {
            report.bound_transcripts();
        }
        report
    }

    /// The ids of the checks that this run judges.
    fn judged(&self) -> impl Iterator<Item = &'static str> {
        self.plan.checks.iter().map(|check| check.id).filter(|id| !self.plan.unjudged.contains(id))
    }

    async fn judge_all(self: Arc<Self>) -> RunReport {
        let begun = Instant::now();
        let started = now();
        let is_first = |check: &&&Check| check.isolation == Isolation::First;
        for check in self.plan.checks.iter().filter(is_first) {
            self.result(check).await;
        }
        let is_alone = |check: &&Check| matches!(check.isolation, Isolation::Alone | Isolation::Last);
        let (mut alone, together): (Vec<&Check>, Vec<&Check>) = self.plan.checks.iter().copied().partition(is_alone);
        alone.sort_by_key(|check| check.isolation == Isolation::Last);
        // What waits longest begins first, so that the run takes little more than that.
        let mut together = together;
        together.sort_by_key(|check| std::cmp::Reverse(self.wait(check)));
        let mut tasks = JoinSet::new();
        for check in together {
            let runner = Arc::clone(&self);
            tasks.spawn(async move {
                runner.result(check).await;
            });
        }
        tasks.join_all().await;
        for check in alone {
            self.result(check).await;
        }
        let mut results: Vec<CheckResult> =
            self.judged().filter_map(|id| self.results.get(id)?.get().cloned()).collect();
        if !self.outages().is_empty() {
            self.is_dev_server().await;
        }
        if let Some(id) = self.who_takes_it_down().await
            && let Some(result) = results.iter_mut().find(|result| result.id == id)
        {
            blame(result);
        }
        self.report(results, begun, started)
    }

    /// The result of one check of the plan; it is run when it has not been yet, after those that it requires.
    pub fn result<'a>(&'a self, check: &'static Check) -> BoxFuture<'a, CheckResult> {
        async move {
            let cell = self.results.get(check.id).expect("only checks of the plan are asked for");
            let judge = async {
                let result = self.judge(check).await;
                self.tell(Event::Finished(Box::new(result.clone())));
                result
            };
            cell.get_or_init(|| judge).await.clone()
        }
        .boxed()
    }

    async fn judge(&self, check: &'static Check) -> CheckResult {
        // What the contract rules out does not apply, whatever else is missing.
        let mut missing: Vec<_> = check.needs.iter().filter_map(|need| missing(*need, &self.setting)).collect();
        missing.sort_by_key(|(_, lacks)| lacks.is_some());
        if let Some((reason, lacks)) = missing.into_iter().next() {
            return self.result_of(check, Outcome::Skip { reason, lacks }, Instant::now());
        }
        if let Some(effect) = check.felt_by_others().filter(|_| self.spares_others) {
            let reason = say!("left out by --safe: {meaning}", meaning = effect.meaning());
            return self.result_of(check, Outcome::Skip { reason, lacks: Some(Lack::Leave) }, Instant::now());
        }
        for required in check.requires {
            let Some(required) = self.planned(required) else { continue };
            if let Some(outcome) = self.blocked_by(&self.result(required).await) {
                return self.result_of(check, outcome, Instant::now());
            }
        }
        for need in check.needs {
            if let Some(outcome) = self.without_transport(*need).await {
                return self.result_of(check, outcome, Instant::now());
            }
        }
        let wait = self.wait(check);
        let max = self.longest_wait();
        if wait > max {
            let reason = say!("would wait {wait}, which is longer than {max} (--max-wait)", wait, max);
            return self.result_of(check, Outcome::Skip { reason, lacks: Some(Lack::Time) }, Instant::now());
        }

        let mut result = self.tried(check).await;
        for _ in 0..self.retries {
            if !matches!(result.outcome, Outcome::Fail(_) | Outcome::Broken { .. }) || result.is_flaky() {
                break;
            }
            result = result.tried_again(self.tried(check).await);
        }
        result
    }

    fn planned(&self, id: &str) -> Option<&'static Check> {
        self.plan.checks.iter().find(|check| check.id == id).copied()
    }

    /// What would wait longer for the protocol is left out.
    fn longest_wait(&self) -> Duration {
        self.plan.max_wait.unwrap_or(LONGEST_WAIT)
    }

    fn wait(&self, check: &Check) -> Duration {
        check.wait.duration(self.setting.target.handshake(), &self.setting.contract)
    }

    fn result_of(&self, check: &Check, outcome: Outcome, begun: Instant) -> CheckResult {
        CheckResult {
            id: check.id.into(),
            title: check.title.into(),
            level: check.level,
            row: check.row,
            outcome,
            notes: Vec::new(),
            meaning: check.meaning.into(),
            fix: check.fix.into(),
            effort: Some(check.effort.name().into()),
            cites: check.citations(),
            reproduce: self.reproduce(check),
            duration_ms: begun.elapsed().as_millis() as u64,
            began_ms: Some(begun.saturating_duration_since(self.begun).as_millis() as u64),
            evidence: Vec::new(),
            by_hand: Vec::new(),
            unfelt: false,
            waived: None,
            known: false,
            worse_than: None,
            tries: None,
            transcript: Vec::new(),
        }
    }

    /// A check writes what it heard into its reason; the transcript was redacted line by line already.
    fn redacted(&self, mut result: CheckResult) -> CheckResult {
        for message in result.messages_mut() {
            *message = message.redacted(&self.setting.redactor, MAX_QUOTE);
        }
        result
    }

    fn tell(&self, event: Event) {
        let about = match &event {
            Event::Begun { .. } | Event::Waiting(_) => None,
            Event::Started(id) => Some(*id),
            Event::Finished(result) => Some(result.id.as_str()),
        };
        if about.is_some_and(|id| self.plan.unjudged.contains(&id)) {
            return;
        }
        if let Some(events) = &self.events {
            // Nobody listening is no reason to stop.
            let _ = events.send(event);
        }
    }

    /// Every check of the catalogue.
    pub fn every_check() -> Vec<&'static Check> {
        catalogue::all().map(|entry| entry.check).collect()
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
