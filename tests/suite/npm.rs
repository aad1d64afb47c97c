//! The npm package: `npx siospec` in a fresh project, from the tarballs, as a Nuxt team would have it.

use std::{env::consts, fs, path::Path, time::Duration};

use rstest::rstest;
use tokio::process::Command;

use crate::harness::{TestResult, Tool, node::NPM, process::run, require, skip};

const PATIENCE: Duration = Duration::from_secs(120);

#[rstest]
#[test]
#[ignore = "packs and installs: for .ci/run, and for changes to npm"]
async fn npx_runs_the_binary_of_this_platform() -> TestResult {
    require(Tool::Node)?;
    let Some(platform) = platform() else { return skip("there is no npm package for this platform") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir()?;
    let (tarballs, project) = (folder.path().join("tarballs"), folder.path().join("project"));
    let binary = format!("{platform}={}", env!("CARGO_BIN_EXE_siospec"));
    run("node", &["npm/pack.mjs", &tarballs.to_string_lossy(), &binary], root, PATIENCE).await?;

    fs::create_dir(&project)?;
    fs::write(project.join("package.json"), r#"{ "name": "a-nuxt-app", "private": true }"#)?;
    let version = env!("CARGO_PKG_VERSION");
    let tarball = |name: &str| tarballs.join(format!("{name}-{version}.tgz")).to_string_lossy().into_owned();
    let both = [tarball("siospec"), tarball(&format!("siospec-{platform}"))];
    // The packages of other platforms are optional; offline, nobody asks for them.
    let install = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", &both[0], &both[1]];
    run(NPM, &install, &project, PATIENCE).await?;

    let launcher = project.join("node_modules/siospec/bin/siospec.js");
    let siospec = async |arguments: &[&str]| {
        Command::new("node").arg(&launcher).args(arguments).current_dir(&project).output().await
    };
    let said = siospec(&["--version"]).await?;
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), format!("siospec {version}"));
    // The exit code is the gate.
    assert_eq!(siospec(&["run", "http://127.0.0.1:1"]).await?.status.code(), Some(3));
    assert_eq!(siospec(&["run", "--no-such-flag"]).await?.status.code(), Some(2));
    Ok(())
}

#[rstest]
#[test]
fn its_versions_are_the_crates() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("npm/package.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    for (name, version) in manifest["optionalDependencies"].as_object().unwrap() {
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "{name}");
    }
}

/// This platform's name, as Node has it.
fn platform() -> Option<String> {
    let os = match consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        "linux" => "linux",
        _ => return None,
    };
    let cpu = match consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    let name = format!("{os}-{cpu}");
    (name != "win32-arm64").then_some(name)
}
