//! The runner: which checks run, in what order, beside which others, for how long; and what it tells while they do.

mod group;
pub mod reproduce;
mod setup;
pub mod target;

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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
pub use setup::SetupError;

use crate::{
    catalogue::{self, Check, Isolation, Need, Wait},
    contract::{Carrier, Contract},
    lag::Lag,
    message::Message,
    probe::{Controls, Probe, Setting, Stop, Tokens, Untestable, admit, trust},
    redact::Redactor,
    verdict::{CheckResult, Entry, Evidence, Failure, Gate, Lack, Outcome, RunReport, Step},
    wire::{
        Transport,
        http::{Http, was_starved_since},
        presence::Outage,
    },
};

/// How many checks run at once unless told otherwise. Nearly all of a check's time is waiting for the target.
pub const DEFAULT_JOBS: usize = 64;

/// Characters of each text in a message that is not ours; a target decides how long its answers are.
const MAX_QUOTE: usize = 2_000;

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
/// How long after it was found to be gone a target is looked for again.
const BETWEEN_LOOKS_FOR_THE_GONE: Duration = Duration::from_secs(5);
/// How often, and how far apart, a target is looked for that ended the sessions of several checks.
const LOOKS_AFTER_AN_END: usize = 4;
const BETWEEN_LOOKS_AFTER_AN_END: Duration = Duration::from_millis(250);
/// A target that went down more often is not tried any further.
const MOST_OUTAGES: usize = 6;
const AFTER_OUTAGE: &str = "judged with nothing beside it: the target went down while this ran beside other checks";
/// What waits no longer for the protocol is run again to learn whether it takes the target down, and how long all that may take.
const SHORT: Duration = Duration::from_secs(2);
const LONGEST_SEARCH: Duration = Duration::from_secs(30);
/// How many slow answers meanwhile make a check worth a second look that could not be judged.
const OVERTAXED: usize = 3;
/// How many checks of a run get one that could not be judged for one answer that did not come.
const LONE_LOOKS: usize = 3;
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

/// What came of a check that was run.
struct Exchange {
    result: CheckResult,
    /// Whether it says that others come to harm by it.
    harms_others: bool,
    /// Whether a connection of it ended by the target's doing, or could not be made.
    saw_an_end: bool,
    /// Whether it was left without an answer.
    met_silence: bool,
    /// Whether it found what slowness would look like.
    is_doubtful: bool,
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
        let tokens = Tokens::new(&plan.contract.auth, redactor.clone());
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

    /// The check that takes the target down, where it went down and nobody was seen to do it: what had passed, or ended, when
    /// that was noticed is run again, one by one, for as long as that takes no longer than the search is worth.
    async fn who_takes_it_down(&self) -> Option<&'static str> {
        let outages = self.outages();
        let outage = outages.first().filter(|_| !*lock(&self.is_explained))?;
        if self.is_dev_server().await {
            return None;
        }
        let begun = Instant::now();
        let suspects = self.ran_at(outage).into_iter().filter(|id| self.times_run(id) == 1);
        for check in suspects.filter_map(|id| self.planned(id)).filter(|check| self.wait(check) <= SHORT) {
            let _alone = self.alone.write().await;
            if begun.elapsed() > LONGEST_SEARCH || self.until_somebody_is_there().await.is_err() {
                return None;
            }
            if self.takes_it_down(check).await && self.takes_it_down(check).await {
                return Some(check.id);
            }
        }
        None
    }

    /// Whether a development server serves the page, which restarts by itself.
    async fn is_dev_server(&self) -> bool {
        let probe = Probe::new(Arc::clone(&self.setting));
        let look = async || probe.is_served_by_vite().await.ok_or(());
        self.dev_server.get_or_try_init(look).await.is_ok_and(|it| *it)
    }

    /// The outages of this run.
    fn outages(&self) -> Vec<Outage> {
        let begun = tokio::time::Instant::from(self.begun);
        self.setting.http.presence().outages().into_iter().filter(|outage| outage.missed >= begun).collect()
    }

    /// The checks that ran when that began, those first that ended next to it.
    fn ran_at(&self, outage: &Outage) -> Vec<&'static str> {
        let ran = lock(&self.ran);
        let mut ran: Vec<_> =
            ran.iter().filter(|(_, begun, ended)| *begun <= outage.missed && *ended >= outage.heard).collect();
        let apart = |at: tokio::time::Instant| {
            outage.missed.saturating_duration_since(at).max(at.saturating_duration_since(outage.missed))
        };
        ran.sort_by_key(|(_, _, ended)| apart(*ended));
        ran.into_iter().map(|(id, ..)| *id).collect()
    }

    fn times_run(&self, id: &str) -> usize {
        lock(&self.ran).iter().filter(|(ran, ..)| *ran == id).count()
    }

    fn report(&self, mut results: Vec<CheckResult>, begun: Instant, started: String) -> RunReport {
        let is_run =
            |result: &&mut CheckResult| !matches!(result.outcome, Outcome::Skip { .. } | Outcome::Blocked { .. });
        // All checks met it, whichever shows it.
        if let (Some(limit), Some(result)) = (self.setting.http.pace().limit(), results.iter_mut().find(is_run)) {
            let ms = limit.within.as_millis() as u64;
            result.evidence.push(Evidence::Limited { status: limit.status, after: limit.after, ms });
        }
        if !*lock(&self.is_explained) || results.iter().any(|result| result.evidence.contains(&Evidence::TakesDown)) {
            let ms = |at: tokio::time::Instant| at.saturating_duration_since(self.begun.into()).as_millis() as u64;
            let outages = self.outages();
            let seen = outages.iter().map(|outage| Evidence::Outage {
                heard_ms: ms(outage.heard),
                missed_ms: ms(outage.missed),
                back_ms: outage.back.map(ms),
                ran: self.ran_at(outage).into_iter().map(str::to_owned).collect(),
                dev_server: self.dev_server.get().is_some_and(|it| *it),
            });
            if let Some(result) = results.iter_mut().find(is_run) {
                result.evidence.extend(seen);
            }
        }
        RunReport {
            siospec: env!("CARGO_PKG_VERSION").into(),
            target: self.setting.redactor.redact(self.plan.origin.as_str()),
            reference: self.plan.reference,
            started,
            notes: self.target_notes().iter().map(|note| note.redacted(&self.setting.redactor, MAX_QUOTE)).collect(),
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
        if let Err(why) = self.until_somebody_is_there().await {
            let reason = say!("the target went down before this ran, and did not come back in time: {why}", why);
            return self.redacted(self.result_of(check, Outcome::Broken { reason }, Instant::now()));
        }
        self.tell(Event::Started(check.id));
        let begun = tokio::time::Instant::now();
        let Exchange { result, harms_others, saw_an_end, met_silence, is_doubtful } = self.exchange(check).await;
        let Setting { http, target, .. } = &*self.setting;
        if self.is_disturbed_since(begun) && !matches!(result.outcome, Outcome::Pass) {
            drop((job, shared, exclusive, slowly));
            return self.tried_below_the_limit(check, result).await;
        }
        let late = http.late_answers_since(begun, target.promptly());
        if harms_others {
            drop((job, shared, exclusive, slowly));
            return self.tried_alone(check, result, begun).await;
        }
        // What passed by an end may owe it to an outage, and what did not pass, too.
        if saw_an_end || !matches!(result.outcome, Outcome::Pass) {
            let is_there = self.is_there_after(&result, begun).await;
            if http.presence().outage_since(begun).is_some() {
                let was_alone = exclusive.is_some();
                drop((job, shared, exclusive, slowly));
                return match is_there {
                    Ok(()) => self.tried_after_outage(check, result).await,
                    Err(_) if was_alone && result.is_failure() => result,
                    Err(why) => {
                        let reason =
                            say!("the target went down while this ran, and did not come back in time: {why}", why);
                        self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..result })
                    }
                };
            }
        }
        // Silence then may be lateness, and so may the end of a session.
        let is_broken = matches!(result.outcome, Outcome::Broken { .. });
        let may_be_late = is_broken || is_doubtful || result.is_failure() && met_silence;
        let is_overtaxed = late >= OVERTAXED || self.setting.is_long(self.setting.lag.worst_since(begun));
        // One request among many may be lost by itself, as by a development server.
        let is_alone = || is_broken && met_silence && self.lone_looks.fetch_add(1, Ordering::Relaxed) < LONE_LOOKS;
        if may_be_late && (is_overtaxed || is_alone()) {
            drop((job, shared, exclusive, slowly));
            return self.tried_at_leisure(check, result, late).await;
        }
        result
    }

    /// Waits for the target where a request found nobody, and others find nobody as well. One that does not come back is not
    /// waited for again, but looked for now and then.
    async fn until_somebody_is_there(&self) -> Result<(), Message> {
        let presence = self.setting.http.presence();
        if !presence.is_in_doubt() {
            return Ok(());
        }
        let mut last = self.looked.lock().await;
        if !presence.is_in_doubt() {
            return Ok(());
        }
        if let Some((at, why)) = &*last
            && at.elapsed() < BETWEEN_LOOKS_FOR_THE_GONE
        {
            return Err(why.clone());
        }
        let probe = Probe::new(Arc::clone(&self.setting));
        // One more connection may have had bad luck.
        let met = match probe.meets_somebody().await {
            Err(_) => probe.meets_somebody().await,
            met => met,
        };
        let met = match met {
            Err(why) => {
                presence.is_not_there();
                if last.is_none() {
                    self.tell(Event::Waiting(why.clone()));
                }
                if last.is_none() { probe.until_somebody_is_there().await } else { Err(why) }
            }
            met => met,
        };
        match &met {
            Ok(()) => {
                presence.is_there();
                *last = None;
            }
            Err(why) => *last = Some((Instant::now(), why.clone())),
        }
        met
    }

    /// Whether the target is there after a check with this result, which began then. A server that is being stopped ends its
    /// sessions before it stops listening, so that it is looked for again a while later where many were ended.
    async fn is_there_after(&self, result: &CheckResult, begun: tokio::time::Instant) -> Result<(), Message> {
        let presence = self.setting.http.presence();
        let saw_an_end = result.transcript.iter().any(shows_an_end);
        for look in 0..LOOKS_AFTER_AN_END {
            if saw_an_end {
                presence.look_again();
            }
            let is_there = self.until_somebody_is_there().await;
            if is_there.is_err() || !presence.many_ended_lately() || presence.outage_since(begun).is_some() {
                return is_there;
            }
            if look + 1 < LOOKS_AFTER_AN_END {
                // Nothing tells when a server stops listening.
                tokio::time::sleep(BETWEEN_LOOKS_AFTER_AN_END).await;
            }
        }
        Ok(())
    }

    /// What becomes of a check during which the target was not there: it is run once more, with nothing beside it, right after
    /// the target answered. Where the target goes down again then, this check does it.
    async fn tried_after_outage(&self, check: &'static Check, first: CheckResult) -> CheckResult {
        let _alone = self.alone.write().await;
        let is_there = self.until_somebody_is_there().await;
        let outages = self.outages().len();
        let reason = match is_there {
            Err(why) => Some(say!("the target went down while this ran, and did not come back in time: {why}", why)),
            Ok(()) if outages > MOST_OUTAGES => {
                Some("the target went down while this ran, as it did before, and this is not tried any further".into())
            }
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            return self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..first });
        }
        let Exchange { result: mut second, .. } = self.exchange(check).await;
        second.notes.push(AFTER_OUTAGE.into());
        if self.goes_down_again(outages).await {
            if self.is_dev_server().await {
                let reason = "the development server restarted each time that this ran".into();
                return CheckResult { outcome: Outcome::Broken { reason }, ..second };
            }
            if self.takes_it_down(check).await {
                blame(&mut second);
            }
        }
        self.redacted(second)
    }

    /// Whether the target goes down when the check has it to itself. One that goes down by itself now and then does not do so
    /// twice in a row just then.
    async fn takes_it_down(&self, check: &'static Check) -> bool {
        if self.until_somebody_is_there().await.is_err() {
            return false;
        }
        let outages = self.outages().len();
        self.exchange(check).await;
        let is_proven = self.goes_down_again(outages).await;
        *lock(&self.is_explained) |= is_proven;
        is_proven
    }

    /// Whether the target is not there now, or was not there once more, when so many outages were known before.
    async fn goes_down_again(&self, outages: usize) -> bool {
        self.setting.http.presence().look_again();
        let _ = self.until_somebody_is_there().await;
        self.outages().len() > outages
    }

    /// What becomes of a check that could not be judged, or was left without an answer, while the target was slow with what
    /// others asked as well: all of them together were too much for it, or for this machine. A second look, with nothing beside
    /// it, tells silence from lateness; what it does not see again is a note.
    async fn tried_at_leisure(&self, check: &'static Check, first: CheckResult, late: usize) -> CheckResult {
        let reason = match &first.outcome {
            Outcome::Broken { reason } => reason,
            Outcome::Fail(failure) => &failure.reason,
            _ => return first,
        };
        let _alone = self.alone.write().await;
        let Exchange { result: mut second, .. } = self.exchange(check).await;
        if first.is_failure() && !matches!(second.outcome, Outcome::Pass) {
            return first;
        }
        if !matches!(second.outcome, Outcome::Broken { .. }) {
            let promptly = self.setting.target.promptly();
            second.notes.push(if late < OVERTAXED {
                say!("judged with nothing beside it, at the second try; the first time: {reason}", reason)
            } else if first.is_failure() {
                say!(
                    "seen once, and not again: {reason}; {late} other answers took longer than {promptly} then",
                    reason,
                    late,
                    promptly
                )
            } else {
                say!(
                    "judged with nothing beside it: {reason}; {late} other answers took longer than {promptly} then",
                    reason,
                    late,
                    promptly
                )
            });
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
            Exchange { result: last, harms_others, .. } = self.exchange(check).await;
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
            let reason = say!(
                "the target turned requests away for coming too fast, however slow they were, so that nothing follows \
                 from this: {reason}",
                reason = failure.reason
            );
            last.outcome = Outcome::Broken { reason };
        }
        if harms_others {
            drop(alone);
            return self.tried_alone(check, last, tokio::time::Instant::now()).await;
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
    async fn tried_alone(&self, check: &'static Check, first: CheckResult, begun: tokio::time::Instant) -> CheckResult {
        let Outcome::Fail(failure) = &first.outcome else { return first };
        let reason = &failure.reason;
        let _alone = self.alone.write().await;
        let _ = self.until_somebody_is_there().await;
        if let Err(why) = Probe::new(Arc::clone(&self.setting)).until_it_answers().await {
            let reason = say!(
                "the target went down while this ran beside other checks, and does not come back, so that nobody can \
                 tell which of them did it: {reason}; {why}",
                reason,
                why
            );
            return self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..first });
        }
        let was_down = self.setting.http.presence().outage_since(begun).is_some();
        let outages = self.outages().len();
        let Exchange { result: mut second, harms_others, .. } = self.exchange(check).await;
        if harms_others && self.goes_down_again(outages).await && self.is_dev_server().await {
            let reason = "the development server restarted each time that this ran".into();
            return CheckResult { outcome: Outcome::Broken { reason }, ..second };
        }
        if matches!(second.outcome, Outcome::Pass) && was_down {
            second.notes.push(AFTER_OUTAGE.into());
            return second;
        }
        if matches!(second.outcome, Outcome::Pass) {
            let reason = say!(
                "beside other checks it looked as if this did harm to others, with nothing beside it it does none, so \
                 that something else did: {reason}",
                reason
            );
            let first = self.redacted(CheckResult { outcome: Outcome::Broken { reason }, ..first });
            return first.tried_again(second);
        }
        if harms_others {
            *lock(&self.is_explained) = true;
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
                let reason = say!("{by} failed, and without it there is nothing to judge", by);
                Some(Outcome::Blocked { by, reason })
            }
            Outcome::Broken { .. } => {
                let reason = say!("{by} could not be judged, and this rests on it", by);
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
            .or_else(|| is_accepted.then(|| Outcome::Skip { reason: reason.into(), lacks: Some(Lack::Transport) }))
    }

    /// Runs the check itself: bounded in time, and apart from everything else should it panic.
    async fn exchange(&self, check: &'static Check) -> Exchange {
        let (begun, started) = (Instant::now(), tokio::time::Instant::now());
        let probe = Probe::new(Arc::clone(&self.setting));
        let probe = if check.isolation == Isolation::First { probe.as_it_comes() } else { probe };
        let handshake = self.setting.target.handshake();
        let reload = self.setting.contract.reload.as_ref().map_or(Duration::ZERO, |reload| reload.deadline);
        // Who waits for answers only waits for no heartbeat.
        let heartbeats = match check.wait {
            Wait::None => Duration::ZERO,
            _ => 2 * (handshake.ping_interval() + handshake.ping_timeout()).min(self.longest_wait()),
        };
        let limit = DEADLINES_PER_CHECK * self.setting.contract.deadline + heartbeats + self.wait(check) + reload;
        let exchange = AssertUnwindSafe((check.run)(&probe)).catch_unwind();
        let mut level = check.level;
        let mut evidence = Vec::new();
        let (mut harms_others, mut is_doubtful) = (false, false);
        let outcome = match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(Err(Stop::Fail(finding)))) if was_starved_since(started) => {
                let reason = finding.failure.reason;
                Outcome::Broken {
                    reason: say!(
                        "{out_of_files}, so that nothing follows from this: {reason}",
                        out_of_files = OUT_OF_FILES,
                        reason
                    ),
                }
            }
            Ok(Ok(Ok(()))) if was_starved_since(started) => Outcome::Broken { reason: OUT_OF_FILES.into() },
            Ok(Ok(Err(Stop::Fail(finding)))) => {
                level = finding.level.unwrap_or(level);
                (harms_others, is_doubtful) = (finding.harms_others, finding.doubtful);
                evidence.extend(finding.evidence.map(|evidence| *evidence));
                let extent = finding.failure.extent.or_else(|| evidence.iter().find_map(Evidence::extent));
                Outcome::Fail(Failure { extent, ..finding.failure })
            }
            Ok(Ok(Ok(()))) => Outcome::Pass,
            Ok(Ok(Err(Stop::Skip(reason)))) => Outcome::Skip { reason, lacks: None },
            Ok(Ok(Err(Stop::Broken(reason)))) => Outcome::Broken { reason },
            Ok(Err(panic)) => {
                Outcome::Broken { reason: say!("siospec itself panicked: {panic}", panic = panic_text(&*panic)) }
            }
            Err(_) => Outcome::Broken { reason: say!("did not come to an end within {time}", time = limit) },
        };
        let held_back = self.setting.http.pace().held_back_since(started);
        let outcome = match outcome {
            Outcome::Fail(failure) if self.setting.is_long(held_back) => {
                let reason = say!(
                    "requests waited up to {time} for their turn (--rate, or the target's own limit), so that nothing \
                     follows from this: {reason}",
                    time = held_back,
                    reason = failure.reason
                );
                Outcome::Broken { reason }
            }
            outcome => outcome,
        };
        let mut result = self.result_of(check, outcome, begun);
        result.level = level;
        // What takes others down is felt by all.
        result.unfelt = result.is_failure() && check.is_for_misuse() && !harms_others;
        result.evidence = evidence;
        result.notes = probe.notes();
        let saw_an_end = {
            let presence = self.setting.http.presence();
            let is_troubled = presence.is_in_doubt() || presence.outage_since(started).is_some();
            is_troubled && probe.transcript().entries().iter().any(shows_an_end)
        };
        if self.keeps_transcripts || !matches!(result.outcome, Outcome::Pass) {
            result.transcript = probe.transcript().entries();
        }
        let mut result = self.redacted(result);
        if let Outcome::Fail(failure) = &result.outcome {
            let headers = self.setting.contract.headers.iter().map(|(name, _)| name.as_str()).collect();
            let around = reproduce::Surroundings { origin: &self.plan.origin, headers, start: self.start_reference() };
            let script = reproduce::by_hand(&around, failure, &probe.transcript().marked_entries());
            let redactor = &self.setting.redactor;
            let redacted = |step| match step {
                Step::Comment(comment) => Step::Comment(Message::redacted(&comment, redactor, MAX_QUOTE)),
                Step::Command(command) => Step::Command(redactor.redact(&command)),
            };
            result.by_hand = script.into_iter().map(redacted).collect();
        }
        lock(&self.ran).push((check.id, started, tokio::time::Instant::now()));
        let met_silence = probe.transcript().has_silence();
        Exchange { result, harms_others, saw_an_end, met_silence, is_doubtful }
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
        for message in result.messages_mut() {
            *message = message.redacted(&self.setting.redactor, MAX_QUOTE);
        }
        result
    }

    fn target_notes(&self) -> Vec<Message> {
        let target = &self.setting.target;
        let broken = |transport: Transport, handshake: &Result<_, Message>| {
            handshake.as_ref().err().map(|error| say!("{transport} does not work: {error}", transport, error))
        };
        let deadline = self.plan.contract.deadline;
        let milliseconds = target.round_trip.as_secs_f64() * 1_000.0;
        let mut notes = vec![if target.round_trip >= deadline {
            say!("no round trip was measured within {time}", time = deadline)
        } else if target.round_trip * 2 >= deadline {
            say!(
                "round trip {milliseconds} ms, near the deadline of {deadline}: a slow answer counts as none \
                 (--deadline)",
                milliseconds = format!("{milliseconds:.1}"),
                deadline
            )
        } else {
            say!("round trip {milliseconds} ms", milliseconds = format!("{milliseconds:.1}"))
        }];
        if let Some(base) = &target.base {
            notes.push(say!(
                "the application lives below {base}, as its page at / says (Nuxt's app.baseURL): the page, the API's \
                 routes and the REST route were looked for there; `base` in siospec.toml says so once and for all",
                base
            ));
        }
        if self.plan.contract.insecure_tls && target.origin.scheme() == "https" {
            notes.push("the target's certificate is not looked at (insecure-tls)".into());
        }
        if let Some(limit) = self.setting.http.pace().limit() {
            let [within, paused] = [limit.within, limit.paused].map(|time| format!("{:.1} s", time.as_secs_f64()));
            let (after, status) = (limit.after, limit.status);
            notes.push(if limit.in_vain {
                say!(
                    "limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, in vain",
                    after,
                    within,
                    status,
                    paused
                )
            } else {
                say!(
                    "limited after {after} requests in {within} (HTTP {status}): the run paused for {paused}, and \
                     went on slower",
                    after,
                    within,
                    status,
                    paused
                )
            });
        }
        for outage in self.outages().iter().take(MOST_OUTAGES) {
            let from = outage.missed.saturating_duration_since(self.begun.into()).as_secs_f64();
            let (how, lasted) = (&outage.how, outage.lasted().as_secs_f64());
            notes.push(match outage.back {
                Some(_) => say!(
                    "nobody was there after {from} s, for {lasted} s ({how}); the run waited",
                    from = format!("{from:.1}"),
                    lasted = format!("{lasted:.1}"),
                    how
                ),
                None => say!(
                    "nobody was there after {from} s ({how}), until the run's end",
                    from = format!("{from:.1}"),
                    how
                ),
            });
        }
        // What is declared off need not work.
        let choices = &self.plan.contract.choices;
        if !choices.websocket_only {
            notes.extend(broken(Transport::Polling, &target.polling));
        }
        if !choices.polling_only {
            notes.extend(broken(Transport::WebSocket, &target.websocket));
        }
        notes
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

/// The time as a report says it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Says of a check that it takes the target down, whatever else came of it. What it found itself says more.
fn blame(result: &mut CheckResult) {
    result.evidence.push(Evidence::TakesDown);
    result.unfelt = false;
    if result.is_failure() {
        result
            .notes
            .push("the target goes down while this runs: beside other checks, and again with nothing beside it".into());
        return;
    }
    result.outcome = Outcome::Fail(Failure {
        reason: "The target goes down while this check runs: beside other checks, and again with nothing beside it"
            .into(),
        sent: say!("what {id} sends, which any client may send", id = result.id),
        received: "nobody answers at the target any more".into(),
        expected: "the target goes on answering".into(),
        extent: None,
    });
}

/// Whether a connection of a check ended by the target's doing, or could not be made.
fn shows_an_end(entry: &Entry) -> bool {
    entry.ends() || entry.finds_nobody()
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").to_owned()
}

/// What is missing for a check to run, and how to supply it. What the contract, the deployment or this build rules out is
/// nothing that a check lacks.
fn missing(need: Need, setting: &Setting) -> Option<(Message, Option<Lack>)> {
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
        Need::Cookie
            if contract.auth.carrier != Carrier::Cookie
                && !contract.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) =>
        {
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
