//! The runner: which checks run, in what order, beside which others, for how long; and what it tells while they do.

mod group;
mod selection;

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures::{FutureExt, future::BoxFuture};
use jsonwebtoken::AlgorithmFamily;
use tokio::{
    sync::{Mutex, OnceCell, RwLock, Semaphore, mpsc},
    task::JoinSet,
};
use url::Url;

pub use group::Group;
pub use selection::{Selection, SelectionError, glob, nearest};

use crate::{
    catalogue::{self, Check, Isolation, Need},
    contract::Contract,
    lag::Lag,
    probe::{Controls, Probe, Setting, Stop, Tokens, Untestable, admit, trust},
    redact::Redactor,
    reproduce::{self, Surroundings},
    verdict::{CheckResult, Evidence, Gate, Lack, Outcome, RunReport},
    wire::{
        Transport,
        http::{Http, was_starved_since},
        round, shorten,
    },
};

/// How many checks run at once unless told otherwise. Nearly all of a check's time is waiting for the target.
pub const DEFAULT_JOBS: usize = 64;

/// Characters of each text of a result; a target decides how long its answers are.
const MAX_QUOTE: usize = 4_000;

/// How many answers a check may wait for in vain, one after the other, before it counts as stuck; on top of this come
/// the waits that follow from the target's own heartbeat settings.
const DEADLINES_PER_CHECK: u32 = 12;

/// How long the next check is put off, at the most, because the target does not keep up with those that run.
const PATIENCE_WITH_TARGET: Duration = Duration::from_millis(100);

const OUT_OF_FILES: &str = "this process could open no more files (`ulimit -n` raises the limit)";
/// How many checks run at once while requests are held back, each of which has a few of them to send.
const AT_ONCE_SLOWLY: usize = 4;
/// How often a check is tried again while the target still turns requests away.
const TRIES_BELOW_LIMIT: usize = 3;
/// How many slow answers meanwhile make a check worth a second look that could not be judged.
const OVERTAXED: usize = 3;
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
    pub async fn beside(plan: Plan, redactor: Redactor, lag: Lag) -> Result<Runner, Untestable> {
        plan.contract.conceal_in(&redactor);
        let http = Http::new(&plan.contract.headers, plan.contract.deadline, trust(&plan.contract))
            .map_err(|error| Untestable::Tls(format!("No HTTP client could be set up: {error}.")))?
            .at_rate(plan.rate);
        let tokens = Tokens::new(&plan.contract.auth, redactor.clone());
        let (http, target) = admit(http, &plan.origin, &plan.contract, &redactor, &tokens).await?;
        tokens.prepare().await;
        let setting = Arc::new(Setting {
            contract: plan.contract.clone(),
            target,
            tokens,
            http,
            redactor,
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
        let results = self.judged().filter_map(|id| self.results.get(id)?.get().cloned()).collect();
        self.report(results, begun, started)
    }

    fn report(&self, mut results: Vec<CheckResult>, begun: Instant, started: String) -> RunReport {
        let is_run =
            |result: &&mut CheckResult| !matches!(result.outcome, Outcome::Skip { .. } | Outcome::Blocked { .. });
        // All checks met it, whichever shows it.
        if let (Some(limit), Some(result)) = (self.setting.http.pace().limit(), results.iter_mut().find(is_run)) {
            let ms = limit.within.as_millis() as u64;
            result.evidence.push(Evidence::Limited { status: limit.status, after: limit.after, ms });
        }
        RunReport {
            siospec: env!("CARGO_PKG_VERSION").into(),
            target: self.setting.redactor.redact(self.plan.origin.as_str()),
            reference: self.plan.reference,
            started,
            notes: self.target_notes().iter().map(|note| self.setting.redactor.redact(note)).collect(),
            gate: Gate::default(),
            results,
            duration_ms: begun.elapsed().as_millis() as u64,
            ended: None,
        }
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
            let reason = format!("left out by --safe: {}", effect.meaning());
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
        let max = self.plan.max_wait.unwrap_or(LONGEST_WAIT);
        if wait > max {
            let [wait, max] = [wait, max].map(|duration| humantime::format_duration(round(duration)));
            let reason = format!("would wait {wait}, which is longer than {max} (--max-wait)");
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

    /// Runs the check when it is its turn, beside what it gets along with.
    async fn tried(&self, check: &'static Check) -> CheckResult {
        let contract = &self.setting.contract;
        // Exclusion only where no nonce tells one check's broadcasts from another's.
        let _notifications = match (check.isolation, &contract.rest) {
            (Isolation::Notifications, Some(rest)) if !rest.carries_message() => Some(self.notifications.lock().await),
            _ => None,
        };
        let _rooms = match (check.isolation, &contract.rooms) {
            (Isolation::Rooms, Some(rooms)) if !rooms.send.carries_message() => Some(self.rooms.lock().await),
            _ => None,
        };
        let (shared, exclusive) = match check.isolation {
            Isolation::First | Isolation::Alone | Isolation::Last => (None, Some(self.alone.write().await)),
            _ => (Some(self.alone.read().await), None),
        };
        let job = self.jobs.acquire().await.expect("the semaphore is never closed");
        // What many checks have to say at once would wait for longer than their answers may take.
        let slowly = if self.setting.http.pace().is_slow() { self.slowly.acquire().await.ok() } else { None };
        self.setting.lag.turn().await;
        self.setting.http.until_it_keeps_up(self.setting.target.promptly(), PATIENCE_WITH_TARGET).await;
        self.tell(Event::Started(check.id));
        let begun = tokio::time::Instant::now();
        let (result, harms_others) = self.exchange(check).await;
        let Setting { http, target, .. } = &*self.setting;
        if self.is_disturbed_since(begun) && !matches!(result.outcome, Outcome::Pass) {
            drop((job, shared, exclusive, slowly));
            return self.tried_below_the_limit(check, result).await;
        }
        let late = http.late_answers_since(begun, target.promptly());
        if harms_others {
            drop((job, shared, exclusive, slowly));
            return self.tried_alone(check, result).await;
        }
        if matches!(result.outcome, Outcome::Broken { .. }) && late >= OVERTAXED {
            drop((job, shared, exclusive, slowly));
            return self.tried_at_leisure(check, result, late).await;
        }
        result
    }

    /// What becomes of a check that could not be judged while the target was slow with what others asked as well: all of them
    /// together were too much for it. Nothing was proven, so that a second look, with nothing beside it, hides nothing.
    async fn tried_at_leisure(&self, check: &'static Check, first: CheckResult, late: usize) -> CheckResult {
        let Outcome::Broken { reason } = &first.outcome else { return first };
        let _alone = self.alone.write().await;
        let (mut second, _) = self.exchange(check).await;
        if !matches!(second.outcome, Outcome::Broken { .. }) {
            let promptly = humantime::format_duration(round(self.setting.target.promptly()));
            second.notes.push(format!(
                "judged with nothing beside it: {reason}; {late} other answers took longer than {promptly} then"
            ));
        }
        self.redacted(second)
    }

    /// What becomes of a check that did not pass while the target turned requests away for coming too fast: the run has slowed
    /// down since, and the check is run once more, with nothing beside it. What is turned away then as well proves nothing.
    async fn tried_below_the_limit(&self, check: &'static Check, first: CheckResult) -> CheckResult {
        let alone = self.alone.write().await;
        let (mut last, mut harms_others, mut is_disturbed) = (first, false, true);
        for _ in 0..TRIES_BELOW_LIMIT {
            let begun = tokio::time::Instant::now();
            (last, harms_others) = self.exchange(check).await;
            is_disturbed = self.is_disturbed_since(begun);
            if matches!(last.outcome, Outcome::Pass) || !is_disturbed {
                break;
            }
        }
        if !is_disturbed {
            last.notes
                .push("judged when requests were slower: the target turned some away, for coming too fast".into());
        } else if let Outcome::Fail(failure) = &last.outcome
            && check.isolation != Isolation::First
        {
            let reason = format!(
                "the target turned requests away for coming too fast, however slow they were, so that nothing follows from \
                 this: {}",
                failure.reason
            );
            last.outcome = Outcome::Broken { reason };
        }
        if harms_others {
            drop(alone);
            return self.tried_alone(check, last).await;
        }
        self.redacted(last)
    }

    /// Whether, since then, the target turned requests away for coming too fast, or the pause for that held some back.
    fn is_disturbed_since(&self, begun: tokio::time::Instant) -> bool {
        let pace = self.setting.http.pace();
        let was_held_back =
            pace.limit().is_some_and(|limit| !limit.in_vain) && self.setting.is_long(pace.held_back_since(begun));
        pace.was_limited_since(begun) || was_held_back
    }

    /// What becomes of a check that says that others come to harm by what it sent. Whatever ran beside it may have done
    /// that, and the target may have been down before: it is run once more, when it has the target to itself, and only right
    /// after the target answered.
    async fn tried_alone(&self, check: &'static Check, first: CheckResult) -> CheckResult {
        let Outcome::Fail(failure) = &first.outcome else { return first };
        let reason = &failure.reason;
        let _alone = self.alone.write().await;
        if let Err(why) = Probe::new(Arc::clone(&self.setting)).until_it_answers().await {
            let reason = format!(
                "the target went down while this ran beside other checks, and does not come back, so that nobody can tell \
                 which of them did it: {reason}; {why}"
            );
            return self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..first });
        }
        let (mut second, harms_others) = self.exchange(check).await;
        if matches!(second.outcome, Outcome::Pass) {
            let reason = format!(
                "beside other checks it looked as if this did harm to others, with nothing beside it it does none, so that \
                 something else did: {reason}"
            );
            let first = self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..first });
            return first.tried_again(second);
        }
        if harms_others {
            let after = match Probe::new(Arc::clone(&self.setting)).answers_now().await {
                Ok(()) => "seen again with nothing beside it: the target answered before, and did so again afterwards",
                Err(_) => "seen again with nothing beside it: the target answered before, and did not afterwards",
            };
            second.notes.push(after.into());
        }
        second
    }

    fn planned(&self, id: &str) -> Option<&'static Check> {
        self.plan.checks.iter().find(|check| check.id == id).copied()
    }

    /// What becomes of a check that rests on one with this result, where it is not run. What passed at times leaves
    /// something to judge, and a failure that does not fail the run must not hide one that would. A missing capability of
    /// that check is none of this one's.
    fn blocked_by(&self, required: &CheckResult) -> Option<Outcome> {
        let by = required.id.clone();
        match &required.outcome {
            _ if required.is_flaky() => None,
            Outcome::Fail(_) if (self.refuses)(required) => {
                let reason = format!("{by} failed, and without it there is nothing to judge");
                Some(Outcome::Blocked { by, reason })
            }
            Outcome::Broken { .. } => {
                let reason = format!("{by} could not be judged, and this rests on it");
                Some(Outcome::Blocked { by, reason })
            }
            Outcome::Blocked { .. } => Some(required.outcome.clone()),
            Outcome::Pass | Outcome::Fail(_) | Outcome::Skip { .. } => None,
        }
    }

    /// What becomes of a check whose transport did not work at the reconnaissance. The check of that transport's handshake
    /// has the say: where it fails the run, it blocks this one; where its failure is accepted, this one is skipped; and
    /// else this one is run, and sees for itself.
    async fn without_transport(&self, need: Need) -> Option<Outcome> {
        let (transport, handshake, reason) = match need {
            Need::Polling => (
                Transport::Polling,
                "transport.polling-handshake",
                "needs polling, which does not work (see transport.polling-handshake)",
            ),
            Need::WebSocket => (
                Transport::WebSocket,
                "transport.websocket-handshake",
                "needs WebSocket, which does not work (see transport.websocket-handshake)",
            ),
            _ => return None,
        };
        if self.setting.target.usable(transport) {
            return None;
        }
        let handshake = self.result(self.planned(handshake)?).await;
        let is_accepted = handshake.is_failure() && !handshake.is_flaky();
        self.blocked_by(&handshake)
            .or_else(|| is_accepted.then(|| Outcome::Skip { reason: reason.to_owned(), lacks: Some(Lack::Transport) }))
    }

    /// Runs the check itself: bounded in time, and apart from everything else should it panic.
    /// Also: whether it says that others come to harm by it.
    async fn exchange(&self, check: &'static Check) -> (CheckResult, bool) {
        let (begun, started) = (Instant::now(), tokio::time::Instant::now());
        let probe = Probe::new(Arc::clone(&self.setting));
        let probe = if check.isolation == Isolation::First { probe.as_it_comes() } else { probe };
        let handshake = self.setting.target.handshake();
        let reload = self.setting.contract.reload.as_ref().map_or(Duration::ZERO, |reload| reload.deadline);
        let limit = DEADLINES_PER_CHECK * self.setting.contract.deadline
            + 2 * (handshake.ping_interval() + handshake.ping_timeout()).min(LONGEST_WAIT)
            + self.wait(check)
            + reload;
        let exchange = AssertUnwindSafe((check.run)(&probe)).catch_unwind();
        let mut level = check.level;
        let mut evidence = Vec::new();
        let mut harms_others = false;
        let outcome = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(Err(Stop::Fail(finding)))) if was_starved_since(started) => {
                let reason = finding.failure.reason;
                Outcome::Broken { reason: format!("{OUT_OF_FILES}, so that nothing follows from this: {reason}") }
            }
            Ok(Ok(Ok(()))) if was_starved_since(started) => Outcome::Broken { reason: OUT_OF_FILES.into() },
            Ok(Ok(Err(Stop::Fail(finding)))) => {
                level = finding.level.unwrap_or(level);
                harms_others = finding.harms_others;
                evidence.extend(finding.evidence.map(|evidence| *evidence));
                Outcome::Fail(finding.failure)
            }
            Ok(Ok(Ok(()))) => Outcome::Pass,
            Ok(Ok(Err(Stop::Skip(reason)))) => Outcome::Skip { reason, lacks: None },
            Ok(Ok(Err(Stop::Broken(reason)))) => Outcome::Broken { reason },
            Ok(Err(panic)) => Outcome::Broken { reason: format!("siospec itself panicked: {}", panic_text(&*panic)) },
            Err(_) => Outcome::Broken {
                reason: format!("did not come to an end within {}", humantime::format_duration(limit)),
            },
        };
        let held_back = self.setting.http.pace().held_back_since(started);
        let outcome = match outcome {
            Outcome::Fail(failure) if self.setting.is_long(held_back) => {
                let reason = format!(
                    "requests waited up to {} for their turn (--rate, or the target's own limit), so that nothing follows from \
                     this: {}",
                    humantime::format_duration(round(held_back)),
                    failure.reason
                );
                Outcome::Broken { reason }
            }
            outcome => outcome,
        };
        let mut result = self.result_of(check, outcome, begun);
        result.level = level;
        result.evidence = evidence;
        result.notes = probe.notes();
        if self.keeps_transcripts || !matches!(result.outcome, Outcome::Pass) {
            result.transcript = probe.transcript().entries();
        }
        let mut result = self.redacted(result);
        if let Outcome::Fail(failure) = &result.outcome {
            let headers = self.setting.contract.headers.iter().map(|(name, _)| name.as_str()).collect();
            let around = Surroundings { origin: &self.plan.origin, headers, start: self.start_reference() };
            let commands = reproduce::by_hand(&around, failure, &result.transcript);
            result.by_hand = commands.map(|commands| self.setting.redactor.redact(&commands));
        }
        (result, harms_others)
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
            by_hand: None,
            waived: None,
            known: false,
            worse_than: None,
            tries: None,
            transcript: Vec::new(),
        }
    }

    /// The report of a run that was interrupted after these results. What was not judged is in it as such, so that it
    /// cannot pass for a whole one. `started` is when it began, as [`now`] tells it.
    pub fn interrupted(&self, mut seen: Vec<CheckResult>, begun: Instant, started: String) -> RunReport {
        for check in self.plan.checks.iter().filter(|check| !self.plan.unjudged.contains(&check.id)) {
            if !seen.iter().any(|result| result.id == check.id) {
                let reason = "the run was interrupted before this check came to an end".into();
                seen.push(self.result_of(check, Outcome::Broken { reason }, Instant::now()));
            }
        }
        seen.sort_by_key(|result| self.plan.checks.iter().position(|check| check.id == result.id));
        let mut report = self.report(seen, begun, started);
        report.notes.push("interrupted: only a part of the checks was judged".into());
        report
    }

    fn reproduce(&self, check: &Check) -> String {
        format!("{} --only {} --transcript", self.command, check.id)
    }

    /// The command that starts the reference server where this run had it.
    fn start_reference(&self) -> Option<String> {
        const FLAGS: [&str; 5] = ["--fault", "--scenario", "--ping-interval", "--ping-timeout", "--connect-timeout"];
        let address = self.plan.reference.then(|| self.plan.origin.as_str().trim_start_matches("http://"))?;
        let flags = self.plan.flags.windows(2).filter(|pair| FLAGS.contains(&pair[0].as_str()));
        let flags: Vec<String> = flags.map(|pair| format!(" {}", pair.join(" "))).collect();
        Some(format!("siospec serve --listen {}{}", address.trim_end_matches('/'), flags.concat()))
    }

    /// A check writes what it heard into its reason; the transcript was redacted line by line already.
    fn redacted(&self, mut result: CheckResult) -> CheckResult {
        let redactor = &self.setting.redactor;
        // Shortened only once the secrets are out: half a secret is not known for one.
        let clean = |text: &mut String| *text = shorten(&redactor.redact(text), MAX_QUOTE);
        match &mut result.outcome {
            Outcome::Pass => {}
            Outcome::Fail(failure) => {
                [&mut failure.reason, &mut failure.sent, &mut failure.received, &mut failure.expected]
                    .into_iter()
                    .for_each(clean);
            }
            Outcome::Skip { reason, .. } | Outcome::Blocked { reason, .. } | Outcome::Broken { reason } => {
                clean(reason)
            }
        }
        result.notes.iter_mut().for_each(clean);
        result
    }

    fn target_notes(&self) -> Vec<String> {
        let target = &self.setting.target;
        let broken = |transport: Transport, handshake: &Result<_, String>| {
            handshake.as_ref().err().map(|error| format!("{transport} does not work: {error}"))
        };
        let mut notes = vec![format!("round trip {:.1} ms", target.round_trip.as_secs_f64() * 1_000.0)];
        if self.plan.contract.insecure_tls && target.origin.scheme() == "https" {
            notes.push("the target's certificate is not looked at (insecure-tls)".into());
        }
        if let Some(limit) = self.setting.http.pace().limit() {
            let [within, paused] = [limit.within, limit.paused].map(|time| format!("{:.1} s", time.as_secs_f64()));
            let (after, status) = (limit.after, limit.status);
            notes.push(if limit.in_vain {
                format!("limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, in vain")
            } else {
                format!(
                    "limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, and went on slower"
                )
            });
        }
        notes.extend(broken(Transport::Polling, &target.polling));
        notes.extend(broken(Transport::WebSocket, &target.websocket));
        notes
    }

    fn tell(&self, event: Event) {
        let about = match &event {
            Event::Begun { .. } => None,
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

/// The time as a report says it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}

/// What is missing for a check to run, and how to supply it. What the contract, the deployment or this build rules out is
/// nothing that a check lacks.
fn missing(need: Need, setting: &Setting) -> Option<(String, Option<Lack>)> {
    let Setting { contract, target, tokens, .. } = setting;
    let reason = match need {
        Need::Connect if !tokens.has_source() && !contract.choices.guests => {
            "needs a valid token: give --auth-secret (or --auth-token, --auth-token-command, …), or declare \
             --choices-guests=true"
        }
        Need::Token if !tokens.has_source() => {
            "needs a valid token: give --auth-secret, --auth-private-key-file, --auth-token or --auth-token-command"
        }
        Need::SigningKey if !tokens.can_mint() => {
            "needs the signing key, to make tokens that are bad in one way only: give --auth-secret or \
             --auth-private-key-file"
        }
        Need::Refusals if contract.choices.guests => "the contract lets guests in (choices.guests)",
        Need::Ping if contract.ping.is_none() => "the contract declares no ping (ping.enabled)",
        Need::Rooms if contract.rooms.is_none() => "the contract declares no rooms (rooms.enabled)",
        Need::Rest if contract.rest.as_ref().is_some_and(|rest| rest.needs_token()) && !tokens.has_source() => {
            "the REST trigger needs a valid token: give --auth-secret, --auth-private-key-file, --auth-token or \
             --auth-token-command"
        }
        Need::RestCredentials if contract.rest.as_ref().is_some_and(|rest| rest.credentials.is_empty()) => {
            "the contract declares no credentials of the REST trigger (rest.credentials)"
        }
        Need::Ack if contract.ack.is_none() => {
            "the contract declares no event that is acknowledged: give --ack-event, and --ack-args where it takes some"
        }
        Need::Echo if !contract.echoes() => {
            "needs a way to get a message back: an event whose acknowledgement holds {{message}} (ack.event, ack.reply), \
             or rooms whose messages do"
        }
        Need::Namespaces if contract.choices.namespaces.is_empty() => {
            "the contract declares no further namespace (choices.namespaces)"
        }
        Need::FixedNamespaces if contract.choices.dynamic_namespaces => {
            "the contract declares that any namespace can be connected to (choices.dynamic-namespaces)"
        }
        Need::PrivateRoom if contract.choices.private_room.is_none() => {
            "the contract declares no private room (choices.private-room)"
        }
        Need::Origins if contract.origins.is_empty() => "the contract declares no foreign origin (origins)",
        Need::Cookie if !contract.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) => {
            "needs the cookie that users are known by: give one of a user by --headers 'Cookie: …'; where users are known \
             by the token alone, there is nothing to judge"
        }
        Need::Nodes if contract.nodes.is_empty() => {
            "needs a second node of the deployment: give its base URL by --node"
        }
        Need::Issuer if contract.auth.issuer.is_none() => "the contract declares no issuer of tokens (auth.issuer)",
        Need::Audience if contract.auth.audience.is_none() => {
            "the contract declares no audience of tokens (auth.audience)"
        }
        Need::Hmac if contract.auth.algorithm.family() != AlgorithmFamily::Hmac => {
            "the contract's tokens are not signed by HMAC"
        }
        Need::PublicKey if !tokens.has_public_key() => {
            "needs the public key of an asymmetric algorithm: give --auth-public-key-file"
        }
        Need::Https if target.origin.scheme() != "https" => "the target is not reached by https",
        Need::Https if contract.insecure_tls => "the target's certificate is not looked at (insecure-tls)",
        Need::Rest if contract.rest.is_none() => "the contract declares no REST trigger (rest.enabled)",
        Need::DistinctRoomMessages if contract.rooms.as_ref().is_some_and(|rooms| !rooms.send.carries_message()) => {
            "needs room messages that can be told apart: let {{message}} stand in rooms.send-args"
        }
        Need::Reload if contract.reload.is_none() => {
            "needs a way to reload the application: give --reload-command or --reload-url"
        }
        Need::PollingDeclared if contract.choices.websocket_only => {
            "the contract declares a WebSocket-only deployment (choices.websocket-only)"
        }
        Need::Polling if contract.choices.websocket_only => {
            "needs polling, and the contract declares a WebSocket-only deployment (choices.websocket-only)"
        }
        Need::WebSocketDeclared if contract.choices.polling_only => {
            "the contract declares a polling-only deployment (choices.polling-only)"
        }
        Need::WebSocket if contract.choices.polling_only => {
            "needs WebSocket, and the contract declares a polling-only deployment (choices.polling-only)"
        }
        Need::InteropClient if !cfg!(feature = "interop") => {
            "needs the rust_socketio client, which this build of siospec lacks: build it with --features interop"
        }
        _ => return None,
    };
    let is_hmac = contract.auth.algorithm.family() == AlgorithmFamily::Hmac;
    let lacks = match need {
        // Where nobody is refused, nobody need have a token.
        Need::Token | Need::SigningKey if contract.choices.guests => None,
        Need::Connect | Need::Token => Some(Lack::Token),
        Need::Rest if contract.rest.is_some() => Some(Lack::Token),
        Need::SigningKey if !tokens.has_source() => Some(Lack::Token),
        Need::SigningKey => Some(Lack::Key),
        Need::Https if target.origin.scheme() == "https" => Some(Lack::Certificate),
        Need::PublicKey if !is_hmac => Some(Lack::Key),
        _ => None,
    };
    Some((reason.into(), lacks))
}
