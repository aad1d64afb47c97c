//! The pages in `docs/` that are made from the code. `UPDATE_DOCS=1 cargo test -- docs` writes them anew.

use std::{env, fmt::Write as _, fs, path::Path};

use rstest::rstest;
use siospec::{
    catalogue, causes, contract,
    mock::{Fault, Scenario},
    report::Json,
};

use crate::harness::expectations::{Expectations, SERVERS, is_finding};

#[rstest]
#[case::checks("checks.md", checks())]
#[case::implementations("implementations.md", implementations())]
#[case::report_schema("report.schema.json", format!("{:#}\n", Json::schema()))]
#[case::contract("siospec.toml", contract::commented_file())]
#[test]
fn is_up_to_date(#[case] name: &str, #[case] made: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/{name} is stale: run `UPDATE_DOCS=1 cargo test -- docs` and commit it");
}

/// What is written by hand names the number of checks that there are.
#[rstest]
#[case::readme(include_str!("../../README.md"))]
#[case::changelog(include_str!("../../CHANGELOG.md"))]
#[test]
fn the_number_of_checks_is_right(#[case] text: &str) {
    let number = format!("{} checks", catalogue::all().count());
    assert!(text.contains(&number), "{number}");
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
    page += "\n## Scenarios of the reference server\n\nSeveral deviations at once, of one cause: `siospec serve --scenario \
             NAME`, or `siospec run --scenario NAME`.\n\n| scenario | what the server does |\n|---|---|\n";
    for scenario in Scenario::ALL {
        writeln!(page, "| `{scenario}` | {} |", scenario.description()).unwrap();
    }
    page += "\n## Causes\n\nWhat is concluded from the results of a whole run. Each belongs to a row, whichever check met it \
             first.\n\n| cause | row | what is wrong |\n|---|---|---|\n";
    for cause in causes::ALL {
        writeln!(page, "| `{}` | {} | {} |", cause.id, cause.row.name(), cause.title).unwrap();
    }
    page
}

fn implementations() -> String {
    let servers: Vec<Expectations> = SERVERS.into_iter().map(Expectations::read).collect();
    let mut page = String::from(
        "# Servers side by side\n\nMade from `tests/expectations`, which `cargo test -- implementations` compares with each \
         server. Each runs the application of\nthe default contract, plus an event that is acknowledged, and a second namespace.\n\n",
    );
    for server in &servers {
        writeln!(page, "- **{} {}**: {}", server.server, server.version, server.run).unwrap();
    }
    page += "\n✅ passes · ☑️ passes by a choice that the protocol leaves open · MUST, SHOULD, MAY: deviates, with the \
             level of the finding (explained below) ·\n(MUST) sometimes: it loses a race · ° none of Socket.IO's \
             clients meets it, and `--fail-on felt` lets it pass ·\n– not judged: the server does not have it, or a \
             failure above leaves nothing to judge\n\n";
    let heads: Vec<String> = servers.iter().map(|server| format!("{} {}", server.server, server.version)).collect();
    writeln!(page, "| check | {} |\n|---|{}", heads.join(" | "), ":-:|".repeat(servers.len())).unwrap();
    for entry in catalogue::all() {
        let id = entry.check.id;
        let cells: Vec<String> = servers.iter().map(|server| cell(server, id)).collect();
        writeln!(page, "| `{id}` | {} |", cells.join(" | ")).unwrap();
    }
    for server in servers.iter().filter(|server| !server.deviations.is_empty()) {
        write!(page, "\n## {} {}\n\n", server.server, server.version).unwrap();
        page += "| check | level | what deviates, and from which text | do Socket.IO's clients notice? \
                 |\n|---|---|---|---|\n";
        for deviation in &server.deviations {
            let sometimes = if deviation.sometimes { ", sometimes" } else { "" };
            let [breaks, clients] = [&deviation.breaks, &deviation.clients].map(|text| text.replace('|', "\\|"));
            let level = deviation.level.name();
            writeln!(page, "| `{}` | {level}{sometimes} | {breaks} | {clients} |", deviation.check).unwrap();
        }
    }
    page
}

/// What came of a check at a server, short enough for a table.
fn cell(server: &Expectations, id: &str) -> String {
    match server.results.get(id).map(String::as_str) {
        Some("pass") => "✅".to_owned(),
        Some("lawful") => "☑️".to_owned(),
        Some(level) if is_finding(level) => {
            let sometimes = server.deviation(id).is_some_and(|deviation| deviation.sometimes);
            let unfelt = if catalogue::find(id).is_some_and(|entry| entry.check.is_for_misuse()) { "°" } else { "" };
            if sometimes { format!("({level}){unfelt}") } else { format!("{level}{unfelt}") }
        }
        _ => "–".to_owned(),
    }
}
