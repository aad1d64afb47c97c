//! Tests enter themselves in a list at link time; here they become trials.

use super::skip::{self, Stop};
use super::{snapshots, target};
use libtest_mimic::{Completion, Failed, Trial};
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;
use tokio::runtime::Builder;

/// A registered test.
pub struct Test {
    pub module: &'static str,
    pub name: &'static str,
    pub file: &'static str,
    /// What starts nothing takes no time.
    pub is_async: bool,
    pub ignored: bool,
    pub run: fn() -> Result<(), Stop>,
}

inventory::collect!(Test);

/// Called by `#[test]`.
macro_rules! register {
    ($name:ident, $kind:ident, $ignored:literal) => {
        ::inventory::submit! {
            $crate::harness::Test {
                module: module_path!(),
                name: stringify!($name),
                file: file!(),
                is_async: matches!(stringify!($kind).as_bytes(), b"asynchronous"),
                ignored: $ignored,
                run: || $crate::harness::$kind($name),
            }
        }
    };
}
pub(crate) use register;

pub fn trials() -> Vec<Trial> {
    // Modules named `sample` hold what the tests on this harness feed to it.
    let samples = env::var_os("SIOSPEC_SAMPLES").is_some();
    let listed = |test: &&Test| samples || test.module.split("::").all(|module| module != "sample");
    let mut tests: Vec<_> = inventory::iter::<Test>().filter(listed).collect();
    // The linker's order is nobody's. What takes long begins first, so that all of it takes little longer: what only waits,
    // and then what keeps the machine busy as well.
    tests.sort_by_key(|test| (!waits(test), length(test), test.file, test.module, test.name));
    tests.into_iter().map(trial).collect()
}

/// The modules whose tests take long, for what others build or for what a protocol makes them wait. Those whose single tests
/// take longest begin first.
const LONG: [&str; 11] = [
    "nuxt",
    "causes",
    "proxies",
    "npm",
    "container",
    "implementations",
    "deployment",
    "field",
    "report",
    "matrix",
    "client",
];

/// Where its module stands in that list; its end for those that take no time.
fn length(test: &Test) -> usize {
    let module = test.module.split("::").nth(2).filter(|_| test.is_async);
    module.and_then(|module| LONG.iter().position(|long| *long == module)).unwrap_or(LONG.len())
}

fn takes_long(test: &Test) -> bool {
    length(test) < LONG.len()
}

/// Whether it waits long, and does little else.
fn waits(test: &Test) -> bool {
    test.is_async && test.module.split("::").nth(2).is_some_and(|module| ["blind", "recon"].contains(&module))
}

fn trial(test: &'static Test) -> Trial {
    let name = test.full_name();
    Trial::ignorable_test(name.clone(), move || run(test, name)).with_ignored_flag(test.ignored)
}

/// Runs in a thread of the test's name, which panic messages show: libtest-mimic's own have none.
fn run(test: &'static Test, name: String) -> Result<Completion, Failed> {
    if takes_long(test) {
        target::wait_for_calm(test.ignored);
    }
    target::wait_for_a_turn();
    let body = move || snapshots::settings(test).bind(test.run);
    let thread = thread::Builder::new().name(name.clone()).spawn(body)?;
    match thread.join().unwrap_or_else(|panic| resume_unwind(panic)) {
        Ok(()) => Ok(Completion::Completed),
        Err(Stop::Skipped(reason)) => {
            skip::remember(&name, &reason);
            Ok(Completion::ignored_with(reason))
        }
        Err(Stop::Failed(reason)) => Err(Failed::from(reason)),
    }
}

impl Test {
    /// `probe::opens::case_1_polling`: the path below `tests/suite`.
    fn full_name(&self) -> String {
        format!("{}::{}", self.module, self.name).split("::").skip(2).collect::<Vec<_>>().join("::")
    }

    /// The name, split where the file's modules end and the functions begin.
    pub fn path(&self) -> (Vec<&'static str>, Vec<&'static str>) {
        let file = self.file.trim_end_matches(".rs").split(['/', '\\']);
        let depth = file.skip_while(|part| *part != "suite").skip(1).filter(|part| *part != "mod").count();
        let mut names: Vec<_> = self.module.split("::").skip(2).chain([self.name]).collect();
        let functions = names.split_off(depth);
        (names, functions)
    }
}

/// What a test may return.
pub trait Returned {
    fn stopped(self) -> Result<(), Stop>;
}

impl Returned for () {
    fn stopped(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl<E: Into<Stop>> Returned for Result<(), E> {
    fn stopped(self) -> Result<(), Stop> {
        self.map_err(Into::into)
    }
}

pub fn synchronous<R: Returned>(test: impl FnOnce() -> R) -> Result<(), Stop> {
    test().stopped()
}

pub fn asynchronous<R: Returned>(test: impl AsyncFnOnce() -> R) -> Result<(), Stop> {
    // Two workers keep a server inside the test going while the test itself blocks.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test())));
    // A forgotten blocking task must not hold up the test that is already over.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result.unwrap_or_else(|panic| resume_unwind(panic)).stopped()
}
