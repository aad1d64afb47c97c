//! The pages in `docs/` that are made from the code. `UPDATE_DOCS=1 cargo test docs` writes them anew.

use std::{env, fmt::Write as _, fs, path::Path};

use rstest::rstest;
use siospec::{catalogue, contract, mock::Fault, report::Json};

#[rstest]
#[case::checks("checks.md", checks())]
#[case::report_schema("report.schema.json", format!("{:#}\n", Json::schema()))]
#[case::contract("siospec.toml", contract::commented_file())]
#[test]
fn is_up_to_date(#[case] name: &str, #[case] made: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/{name} is stale: run `UPDATE_DOCS=1 cargo test docs` and commit it");
}

fn checks() -> String {
    let mut page = String::from(
        "# The checks\n\nMade from the catalogue. `siospec explain ID` says all there is about one; \
         [checklist.md](checklist.md) says\nwhat rows, levels and outcomes are.\n",
    );
    let mut area = "";
    for entry in catalogue::all() {
        let check = entry.check;
        if check.area() != area {
            area = check.area();
            write!(page, "\n## {area}\n\n| id | level | row | must hold | see | faults that fail it |\n").unwrap();
            page += "|---|---|---|---|---|---|\n";
        }
        let listed = |names: Vec<String>| names.join(", ");
        let cites =
            check.cites.iter().map(|cite| format!("[{}]({})", cite.place, cite.url.trim_start_matches("docs/")));
        let faults = check.faults.iter().map(|fault| format!("`{fault}`"));
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            check.id,
            check.level.name(),
            check.row.name(),
            check.title,
            listed(cites.collect()),
            listed(faults.collect()),
        )
        .unwrap();
    }
    page += "\n## Faults of the reference server\n\n`siospec serve --fault NAME` commits one, or several.\n\n";
    page += "| fault | what the server does |\n|---|---|\n";
    for fault in Fault::ALL {
        writeln!(page, "| `{fault}` | {} |", fault.description()).unwrap();
    }
    page
}
