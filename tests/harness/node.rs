//! The fixtures that need Node: installed and built once, in a copy below `target/`.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::process::{self, Complaint};

/// A fixture's copy. Nobody else, in this process or another, touches it while this lives.
pub struct Fixture {
    /// Where it is.
    pub folder: PathBuf,
    _lock: File,
}

/// How npm is called.
pub const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

impl Fixture {
    /// Copies `fixtures/<name>` and installs what its lock file names, where that is not done yet.
    pub async fn installed(name: &'static str) -> Result<Fixture, Complaint> {
        let fixture = tokio::task::spawn_blocking(move || copy(name)).await.expect("copying does not panic");
        let fixture = fixture.map_err(|error| Complaint(format!("fixtures/{name}: {error}")))?;
        let lock = fixture.folder.join("package-lock.json");
        fixture.once("installed", &[lock], &[NPM, "ci", "--no-audit", "--no-fund"], Duration::from_secs(600)).await?;
        Ok(fixture)
    }

    /// As [`Fixture::installed`], and then builds it for production.
    pub async fn built(name: &'static str) -> Result<Fixture, Complaint> {
        let fixture = Fixture::installed(name).await?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let sources = files(&source).map_err(|error| Complaint(format!("fixtures/{name}: {error}")))?;
        let sources: Vec<PathBuf> = sources.into_iter().map(|file| source.join(file)).collect();
        fixture.once("built", &sources, &[NPM, "run", "build"], Duration::from_secs(600)).await?;
        Ok(fixture)
    }

    /// Runs `command` unless it succeeded before for the same content of `inputs`.
    async fn once(
        &self,
        what: &str,
        inputs: &[PathBuf],
        command: &[&str],
        patience: Duration,
    ) -> Result<(), Complaint> {
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            let content = fs::read(input).map_err(|error| Complaint(format!("{}: {error}", input.display())))?;
            (input, content).hash(&mut hasher);
        }
        let state = format!("{:x}", hasher.finish());
        let stamp = self.folder.join(format!(".{what}"));
        if fs::read_to_string(&stamp).is_ok_and(|done| done == state) {
            return Ok(());
        }
        process::run(command[0], &command[1..], &self.folder, patience).await?;
        fs::write(&stamp, state).map_err(|error| Complaint(format!("{}: {error}", stamp.display())))
    }
}

fn copy(name: &str) -> io::Result<Fixture> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.with_extension("lock"))?;
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
            } else if !["node_modules", ".nuxt", ".output"].iter().any(|made| entry.file_name() == *made) {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
