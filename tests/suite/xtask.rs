//! What lays out a new check.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use rstest::rstest;
use siospec::{catalogue, fault::Fault};
use syn::punctuated::Punctuated;
use tempfile::tempdir;

use crate::harness::TestResult;

fn new_check(at: &Path, arguments: &[&str]) -> std::io::Result<std::process::Output> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/xtask/Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    command.args(["--", "new-check"]).args(arguments).current_dir(at).output()
}

#[rstest]
#[test]
#[ignore = "builds siospec once more: for .ci/run"]
fn a_new_check_compiles_and_says_that_it_is_not_written() -> TestResult {
    let (root, copy) = (Path::new(env!("CARGO_MANIFEST_DIR")), tempdir()?);
    for part in ["src", "crates", "examples", "locales", "Cargo.toml", "Cargo.lock", "README.md"] {
        let copied = Command::new("cp").arg("-r").arg(root.join(part)).arg(copy.path()).status()?;
        assert!(copied.success(), "{part}");
    }
    fs::create_dir_all(copy.path().join("tests"))?;
    fs::write(copy.path().join("tests/main.rs"), "fn main() {}\n")?;
    // Its program has a name of its own: other tests run the one that is there.
    let manifest = copy.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?
        .replace("default-run = \"siospec\"", "default-run = \"laid-out\"")
        .replace("name = \"siospec\"\npath = \"src/main.rs\"", "name = \"laid-out\"\npath = \"src/main.rs\"");
    fs::write(&manifest, text)?;
    let made = new_check(copy.path(), &["rooms.of-the-test", "--fault", "is-of-the-test"])?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--offline", "--", "run", "--only", "rooms.of-the-test"]);
    // The dependencies are built there already.
    command.env("CARGO_TARGET_DIR", root.join("target")).current_dir(copy.path());
    let ran = command.output()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("this check is not written yet"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(5), "{said}");
    Ok(())
}

/// Whatever the area's list looks like, the check is the last in it.
#[rstest]
#[test]
fn a_check_can_be_laid_out_in_every_area() -> TestResult {
    let (root, copy) = (Path::new(env!("CARGO_MANIFEST_DIR")), tempdir()?);
    let catalogue_of = |root: &Path| root.join("src/catalogue");
    fs::create_dir(copy.path().join("src"))?;
    fs::copy(root.join("src/fault.rs"), copy.path().join("src/fault.rs"))?;
    let copied = Command::new("cp").arg("-r").arg(catalogue_of(root)).arg(copy.path().join("src")).status()?;
    assert!(copied.success());
    let areas: BTreeSet<&str> = catalogue::all().filter_map(|entry| Some(entry.check.id.split_once('.')?.0)).collect();
    for area in areas {
        let made = new_check(copy.path(), &[&format!("{area}.of-the-test"), "--fault", &format!("is-of-{area}")])?;
        assert!(made.status.success(), "{area}: {}", String::from_utf8_lossy(&made.stderr));
        let read = |root: &Path| checks_of(&fs::read_to_string(catalogue_of(root).join(area).join("mod.rs")).unwrap());
        let mut wanted = read(root);
        wanted.push("of_the_test".to_owned());
        assert_eq!(read(copy.path()), wanted, "{area}");
    }
    let faults = fs::read_to_string(copy.path().join("src/fault.rs"))?;
    assert!(faults.contains("IsOfRooms = \"is-of-rooms\","), "{faults}");
    Ok(())
}

/// The modules that an area's `checks![…]` names.
fn checks_of(source: &str) -> Vec<String> {
    let file = syn::parse_file(source).expect("Rust");
    let mut lists = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.is_ident("checks") => Some(&item.mac),
        _ => None,
    });
    let names =
        lists.next().expect("its checks").parse_body_with(Punctuated::<syn::Ident, syn::Token![,]>::parse_terminated);
    names.expect("names").iter().map(ToString::to_string).collect()
}

/// What it says is left to do can be done: each command has the one filter that the tests take.
#[rstest]
#[test]
fn what_is_left_to_do_can_be_typed() -> TestResult {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/xtask/src/main.rs"))?;
    let commands: Vec<&str> =
        source.lines().filter_map(|line| line.split_once("cargo test -- ")).map(|(_, rest)| rest).collect();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for command in commands {
        let words = command.trim_end_matches(['\\', '"', ',']).trim_end_matches("\\n").split_whitespace();
        assert_eq!(words.filter(|word| !word.starts_with("--")).count(), 1, "{command}");
    }
    Ok(())
}

#[rstest]
#[case::no_area("nowhere.a-check", "there is no area `nowhere`")]
#[case::no_name("rooms", "usage: cargo xtask new-check AREA.NAME [--fault FAULT]")]
#[case::spelling("rooms.A_check", "in small letters, with hyphens")]
#[case::there_already("rooms.names", "is there already")]
#[test]
fn a_check_that_cannot_be_laid_out_is_refused(#[case] id: &str, #[case] why: &str) -> TestResult {
    let refused = new_check(Path::new(env!("CARGO_MANIFEST_DIR")), &[id])?;
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains(why), "{said}");
    Ok(())
}

#[rstest]
#[test]
fn no_check_is_left_half_written() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue");
    for entry in catalogue::all() {
        let check = entry.check;
        let texts = [&entry.documentation(), check.title, check.meaning, check.fix];
        assert!(texts.iter().all(|text| !text.contains("TODO")), "{}", check.id);
        let file = sources.join(check.id.replace('.', "/").replace('-', "_")).with_extension("rs");
        assert!(!fs::read_to_string(file).expect("its file").contains("TODO"), "{}", check.id);
    }
    for fault in Fault::ALL {
        assert!(!fault.description().contains("TODO"), "{}", fault.name());
    }
}
