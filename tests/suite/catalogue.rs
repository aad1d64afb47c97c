//! Guards over the whole catalogue.

use std::{collections::BTreeSet, fs, path::Path};

use rstest::rstest;
use siospec::{catalogue, mock::Fault};

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
