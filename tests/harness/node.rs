//! The fixtures that need Node or Python: installed and built once, in a copy that outlives the checkout.
//!
//! They lie in `SIOSPEC_TEST_CACHE`, or in the user's cache: installing and building takes longer than all tests together,
//! and a fresh clone needs the same.

use std::{
    env,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::process::{self, Complaint};

/// A fixture's copy. Nobody else, in this process or another, changes it while this lives.
pub struct Fixture {
    /// Where it is.
    pub folder: PathBuf,
    _lock: File,
}

/// How npm is called.
pub const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

const PATIENCE: Duration = Duration::from_secs(600);

/// What installing and building put beside the sources.
const MADE: [&str; 5] = ["node_modules", ".nuxt", ".output", "venv", "__pycache__"];

impl Fixture {
    /// Copies `fixtures/<name>` and installs what its lock file names, where that is not done yet. Nobody else touches
    /// the copy meanwhile.
    pub async fn installed(name: &'static str) -> Result<Fixture, Complaint> {
        let fixture = Fixture::copied(name).await?;
        let lock = fixture.folder.join("package-lock.json");
        fixture.once("installed", &[lock], &[NPM, "ci", "--no-audit", "--no-fund"]).await?;
        Ok(fixture)
    }

    /// As [`Fixture::installed`], for those who change nothing in it: any number of them at once.
    pub async fn shared(name: &'static str) -> Result<Fixture, Complaint> {
        loop {
            let fixture = tokio::task::spawn_blocking(move || current(name)).await.expect("comparing does not panic");
            if let Some(fixture) = fixture.map_err(|error| trouble(name, &error))? {
                return Ok(fixture);
            }
            Fixture::installed(name).await?;
        }
    }

    /// As [`Fixture::installed`], and then builds it for production.
    pub async fn built(name: &'static str) -> Result<Fixture, Complaint> {
        let fixture = Fixture::installed(name).await?;
        let source = source(name);
        let sources = files(&source).map_err(|error| trouble(name, &error))?;
        let sources: Vec<PathBuf> = sources.into_iter().map(|file| source.join(file)).collect();
        fixture.once("built", &sources, &[NPM, "run", "build"]).await?;
        Ok(fixture)
    }

    /// Copies `fixtures/<name>` and installs its `requirements.txt` into a virtual environment there. Gives the Python
    /// of that environment too.
    pub async fn in_venv(name: &'static str) -> Result<(Fixture, PathBuf), Complaint> {
        let fixture = Fixture::copied(name).await?;
        let python = fixture.folder.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" });
        let requirements = [fixture.folder.join("requirements.txt")];
        fixture.once("made", &requirements, &["python3", "-m", "venv", "--clear", "venv"]).await?;
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"];
        let command: Vec<&str> = [python.to_str().expect("a path that is text")].into_iter().chain(install).collect();
        fixture.once("installed", &requirements, &command).await?;
        Ok((fixture, python))
    }

    async fn copied(name: &'static str) -> Result<Fixture, Complaint> {
        let fixture = tokio::task::spawn_blocking(move || copy(name)).await.expect("copying does not panic");
        fixture.map_err(|error| trouble(name, &error))
    }

    /// Runs `command` unless it succeeded before for the same content of `inputs`.
    async fn once(&self, what: &str, inputs: &[PathBuf], command: &[&str]) -> Result<(), Complaint> {
        let state = state_of(inputs)?;
        let stamp = self.folder.join(format!(".{what}"));
        if fs::read_to_string(&stamp).is_ok_and(|done| done == state) {
            return Ok(());
        }
        process::run(command[0], &command[1..], &self.folder, PATIENCE).await?;
        fs::write(&stamp, state).map_err(|error| Complaint(format!("{}: {error}", stamp.display())))
    }
}

fn trouble(name: &str, error: &io::Error) -> Complaint {
    Complaint(format!("fixtures/{name}: {error}"))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Where the copies are.
fn cache() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_the_user = || {
        let home = if cfg!(windows) { variable("LOCALAPPDATA") } else { variable("XDG_CACHE_HOME") };
        home.or_else(|| Some(variable("HOME")?.join(".cache"))).map(|cache| cache.join("siospec-tests"))
    };
    let chosen = variable("SIOSPEC_TEST_CACHE").or_else(of_the_user);
    // Without a home, as some build servers have it.
    chosen.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")))
}

/// A copy's folder, and the file beside it that its users lock. What is installed in it is in its name, so that two
/// checkouts do not take turns in installing what the other one does not want.
fn place(name: &str) -> io::Result<(PathBuf, File)> {
    let source = source(name);
    let locked = ["package-lock.json", "requirements.txt"].map(|file| source.join(file));
    let state = state_of(&locked.into_iter().filter(|file| file.exists()).collect::<Vec<_>>());
    let state = state.map_err(|complaint| io::Error::other(complaint.0))?;
    let folder = cache().join(format!("{name}-{state}"));
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.with_extension("lock"))?;
    Ok((folder, lock))
}

fn state_of(inputs: &[PathBuf]) -> Result<String, Complaint> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        let content = fs::read(input).map_err(|error| Complaint(format!("{}: {error}", input.display())))?;
        // By its name, not by its path: the next checkout is elsewhere.
        (input.file_name(), content).hash(&mut hasher);
    }
    Ok(format!("{:x}", hasher.finish()))
}

/// The copy, locked against changes, if it is that of the sources as they are and installed.
fn current(name: &str) -> io::Result<Option<Fixture>> {
    let (folder, lock) = place(name)?;
    lock.lock_shared()?;
    let source = source(name);
    for file in files(&source)? {
        if fs::read(folder.join(&file)).ok() != Some(fs::read(source.join(&file))?) {
            return Ok(None);
        }
    }
    let state = state_of(&[folder.join("package-lock.json")]).ok();
    let installed = fs::read_to_string(folder.join(".installed")).ok();
    Ok((state.is_some() && installed == state).then_some(Fixture { folder, _lock: lock }))
}

fn copy(name: &str) -> io::Result<Fixture> {
    let source = source(name);
    let (folder, lock) = place(name)?;
    lock.lock()?;
    for file in files(&source)? {
        let (from, to) = (source.join(&file), folder.join(&file));
        // An untouched file keeps its time, so that nobody who watches it takes it for changed.
        if fs::read(&to).ok() != Some(fs::read(&from)?) {
            fs::create_dir_all(to.parent().expect("a file is in a folder"))?;
            fs::copy(&from, &to)?;
        }
    }
    Ok(Fixture { folder, _lock: lock })
}

/// The files below `folder`, as relative paths, without what installing and building put there.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                found.push(path);
            } else if !MADE.iter().any(|made| entry.file_name() == *made) {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
