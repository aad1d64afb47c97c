//! The program in a container that holds nothing else.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use rstest::rstest;
use siospec::{mock::DEFAULT_JWT_SECRET, verdict::Outcome};
use testcontainers::{
    GenericBuildableImage, GenericImage, ImageExt, core::IntoContainerPort, core::WaitFor, runners::AsyncBuilder,
    runners::AsyncRunner,
};

use crate::harness::{
    TestResult, Tool, require, skip,
    target::{assert_conforms, score},
};

const PORT: u16 = 4000;
const SHORT_WAITS: [&str; 6] = ["--ping-interval", "2s", "--ping-timeout", "2s", "--connect-timeout", "6s"];

#[rstest]
#[test]
async fn serve_in_an_image_from_scratch_conforms() -> TestResult {
    require(Tool::Docker)?;
    if !cfg!(target_os = "linux") {
        return skip("the binary is not one for Linux containers");
    }
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_siospec"));
    let mut files = libraries(&binary)?;
    files.insert((binary, "/siospec".into()));
    let mut image = GenericBuildableImage::new("siospec-test", "scratch").with_dockerfile_string(final_stage());
    for (from, to) in &files {
        image = image.with_file(from.canonicalize()?, format!("./root{to}"));
    }
    let image: GenericImage = image.build_image().await?;
    let container = image
        .with_exposed_port(PORT.tcp())
        .with_wait_for(WaitFor::message_on_stdout("listening on"))
        .with_cmd(["serve", "--listen", &format!("0.0.0.0:{PORT}")].into_iter().chain(SHORT_WAITS))
        .start()
        .await?;
    let port = container.get_host_port_ipv4(PORT).await?;
    let waits = [("choices.connect-timeout", "6s"), ("choices.idle-limit", "6s")];
    let flags = [&[("auth.secret", DEFAULT_JWT_SECRET)], &waits[..]].concat();
    let report = score(&format!("http://127.0.0.1:{port}"), &flags).await.expect("testable");
    // What the default contract does not declare is skipped.
    let skipped = report.results.iter().filter(|result| matches!(result.outcome, Outcome::Skip { .. }));
    let skipped: Vec<&str> = skipped.map(|result| result.id.as_str()).collect();
    assert_conforms(&report, &skipped);
    Ok(())
}

/// The last stage of the repository's Dockerfile, with the files that are here already: the stage before it wants an image
/// to build in.
fn final_stage() -> String {
    let dockerfile = include_str!("../../Dockerfile");
    let stage = &dockerfile[dockerfile.rfind("FROM scratch").expect("a final stage from scratch")..];
    assert!(stage.contains("USER 65534"), "nobody needs root for this");
    stage.replace("COPY --from=build /out/", "COPY root/")
}

/// What the dynamic linker loads, as (file, path in the image).
fn libraries(binary: &PathBuf) -> std::io::Result<BTreeSet<(PathBuf, String)>> {
    let output = Command::new("ldd").arg(binary).output()?;
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = listing.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(|path| (PathBuf::from(path), path.to_owned())).collect())
}
