//! Guards over the whole catalogue.

use std::{collections::BTreeSet, fs, path::Path};

use rstest::rstest;
use siospec::{
    catalogue::{self, Effect},
    mock::Fault,
};

#[rstest]
#[test]
fn every_file_is_a_check_whose_id_is_its_path() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue");
    let mut files = BTreeSet::new();
    for area in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(&area).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            if name != "mod" {
                let area = area.file_name().unwrap().to_str().unwrap();
                files.insert(format!("{area}.{}", name.replace('_', "-")));
            }
        }
    }
    let ids: BTreeSet<String> = catalogue::all().map(|entry| entry.check.id.to_owned()).collect();
    assert_eq!(files, ids);
    assert_eq!(ids.len(), catalogue::all().count(), "an id is used twice");
}

#[rstest]
#[test]
fn every_check_says_all_that_a_failure_needs() {
    for entry in catalogue::all() {
        let check = entry.check;
        assert!(!check.title.is_empty() && !check.title.ends_with('.'), "{}: title", check.id);
        assert!(!check.cites.is_empty(), "{}: citation", check.id);
        assert!(check.meaning.len() > 20, "{}: meaning", check.id);
        assert!(check.fix.len() > 20, "{}: fix", check.id);
        assert!(!entry.documentation().trim().is_empty(), "{}: documentation", check.id);
        assert!(!check.faults.is_empty(), "{}: fault", check.id);
    }
}

#[rstest]
#[test]
fn what_a_check_requires_exists_and_never_leads_back() {
    fn visit<'a>(id: &'a str, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&id), "{path:?} leads back to {id}");
        path.push(id);
        let entry = catalogue::find(id).unwrap_or_else(|| panic!("{path:?}: there is no such check"));
        for required in entry.check.requires {
            visit(required, path);
        }
        path.pop();
    }
    for entry in catalogue::all() {
        visit(entry.check.id, &mut Vec::new());
    }
}

#[rstest]
#[test]
fn every_fault_is_declared_by_a_check() {
    let declared: BTreeSet<Fault> = catalogue::all().flat_map(|entry| entry.check.faults).copied().collect();
    let idle: Vec<&Fault> = Fault::ALL.iter().filter(|fault| !declared.contains(fault)).collect();
    assert!(idle.is_empty(), "no check looks for {idle:?}");
}

/// Who calls the REST trigger reaches every connected user.
#[rstest]
#[test]
fn a_check_that_notifies_says_so() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalogue");
    for entry in catalogue::all() {
        let file = sources.join(entry.check.id.replace('.', "/").replace('-', "_")).with_extension("rs");
        let source = fs::read_to_string(&file).unwrap();
        // The last drives a stock client through all that it can do.
        let calls = [".notify(", ".notify_on(", ".trigger(", "deliveries(", ".send_call(", "stock::drive"];
        let notifies = calls.iter().any(|call| source.contains(call));
        let declares = entry.check.effects.contains(&Effect::Broadcasts);
        assert_eq!(notifies, declares, "{}", entry.check.id);
    }
}

/// The one way in which dependencies run. `mock` is apart from all that judges it.
#[rstest]
#[case::message("message.rs", &["redact"])]
#[case::wire("wire", &["lag", "message", "redact", "secret"])]
#[case::contract("contract", &["message", "redact", "secret"])]
#[case::fault("fault.rs", &[])]
#[case::redact("redact.rs", &[])]
#[case::secret("secret.rs", &[])]
#[case::probe("probe", &["wire", "contract", "lag", "message", "redact", "shell", "verdict"])]
#[case::catalogue("catalogue", &["probe", "wire", "contract", "fault", "message", "shell", "verdict"])]
#[case::runner("runner", &["catalogue", "probe", "wire", "contract", "lag", "message", "redact", "verdict"])]
#[case::lag("lag.rs", &[])]
#[case::shell("shell.rs", &[])]
#[case::verdict("verdict.rs", &["message", "wire"])]
#[case::causes("causes", &["message", "verdict"])]
#[case::report("report", &["causes", "lang", "message", "verdict", "runner", "wire"])]
#[case::gate("gate", &["catalogue", "contract", "report", "verdict"])]
#[case::lang("lang", &["message", "verdict"])]
#[case::mock("mock", &["fault"])]
#[test]
fn a_module_uses_only_what_lies_below_it(#[case] module: &str, #[case] below: &[&str]) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // A module of one file may have parts of its own in a folder of its name.
    let folder = sources.join(module.trim_end_matches(".rs"));
    let mut files = vec![sources.join(module)];
    files.extend((module.ends_with(".rs") && folder.is_dir()).then_some(folder));
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let own = module.trim_end_matches(".rs");
        for used in code.split("crate::").skip(1) {
            let names = used.strip_prefix('{').map_or(vec![used], |list| imported(list));
            for name in names {
                let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let is_module =
                    !name.is_empty() && ["", ".rs"].iter().any(|end| sources.join(format!("{name}{end}")).exists());
                let allowed = !is_module || name == own || below.contains(&name);
                assert!(allowed, "{} uses crate::{name}", path.display());
            }
        }
    }
}

/// The first parts of `{a::b, c::{d, e}, f}`.
fn imported(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut start = 0;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(list[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}
