//! `cargo xtask new-check AREA.NAME [--fault FAULT]`: lays out a check, its fault, and what is left to do.

use std::{env, fs, io, path::Path, process::ExitCode};

const USAGE: &str =
    "usage: cargo xtask new-check AREA.NAME [--fault FAULT], such as rooms.two-rooms --fault one-room-only";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let made = match &arguments[..] {
        [command, id] if command == "new-check" => new_check(Path::new("."), id, None),
        [command, id, flag, fault] if command == "new-check" && flag == "--fault" => {
            new_check(Path::new("."), id, Some(fault))
        }
        _ => Err(USAGE.to_owned()),
    };
    match made {
        Ok(todo) => {
            println!("{todo}");
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("error: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn new_check(root: &Path, id: &str, fault: Option<&str>) -> Result<String, String> {
    let (area, name) = id.split_once('.').ok_or(USAGE)?;
    if !is_kebab(area) || !is_kebab(name) {
        return Err(format!("`{id}`: an id is AREA.NAME, in small letters, with hyphens between words"));
    }
    // What the server does, and not what the check finds.
    let fault = fault.map_or_else(|| format!("breaks-{name}"), str::to_owned);
    if !is_kebab(&fault) {
        return Err(format!("`{fault}`: a fault is named in small letters, with hyphens between words"));
    }
    let catalogue = root.join("src/catalogue");
    if !catalogue.is_dir() {
        return Err(format!("{} is no folder here: run it where siospec's Cargo.toml is", catalogue.display()));
    }
    let module = name.replace('-', "_");
    let faults_file = root.join("src/fault.rs");
    let area_file = catalogue.join(area).join("mod.rs");
    let check_file = catalogue.join(area).join(format!("{module}.rs"));
    if !area_file.is_file() {
        return Err(format!("there is no area `{area}`; there are {}", areas(&catalogue).join(", ")));
    }
    if check_file.exists() {
        return Err(format!("{} is there already", check_file.display()));
    }
    let variant = camel(&fault);
    let others = siblings(&area_file)?;
    let area_text = listed(&read(&area_file)?, &module)?;
    let fault_text = with_fault(&read(&faults_file)?, &others, &variant, &fault)?;
    write(&check_file, &check(id, &variant))?;
    write(&area_file, &area_text)?;
    write(&faults_file, &fault_text)?;
    Ok(format!(
        "{check}: the check. It says that it is not written yet, and so passes nowhere.\n\
         {faults}: its fault, `{fault}`.\n\
         \n\
         Left to do, in this order:\n\
         1. src/mock: `if faults.has(Fault::{variant})` where the reference server commits it.\n\
         2. {check}: the exchange, and each TODO; then `cargo fmt`.\n\
         3. It fails under its fault, and there alone (with the first build, 4 minutes):\n\
         \u{20}  INSTA_UPDATE=always SIOSPEC_FAULTS={fault} cargo test -- matrix::each_fault_fails_exactly\n\
         4. It passes on nothing that shows nothing (3 minutes):\n\
         \u{20}  cargo test -- blind\n\
         5. What servers that are not ours do (2 minutes; with Node and Python):\n\
         \u{20}  UPDATE_EXPECTATIONS=1 cargo test -- implementations:: --include-ignored\n\
         6. The documents and the templates for a translator; the number of checks in README and CHANGELOG:\n\
         \u{20}  UPDATE_DOCS=1 cargo test -- docs::\n\
         \u{20}  UPDATE_DOCS=1 cargo test -- lang::",
        check = check_file.display(),
        faults = faults_file.display(),
    ))
}

fn is_kebab(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(is_part)
}

fn areas(catalogue: &Path) -> Vec<String> {
    let folders = fs::read_dir(catalogue).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The sources of the area's checks.
fn siblings(area: &Path) -> Result<Vec<String>, String> {
    let folder = area.parent().unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).map_err(|error| complaint(folder, &error))?.flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| read(&path))
        .collect()
}

/// Each word that follows `prefix`.
fn words_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |rest: &'a str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    text.split(prefix).skip(1).map(word).filter(|word| !word.is_empty())
}

/// The area's `mod.rs` with the module: among the others by name, and at the end of its checks.
fn listed(text: &str, module: &str) -> Result<String, String> {
    let own = format!("mod {module};");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_module = |line: &String| line.starts_with("mod ") && line.ends_with(';');
    let after = lines.iter().rposition(|line| is_module(line) && *line < own);
    let at =
        after.map_or_else(|| lines.iter().position(is_module), |at| Some(at + 1)).ok_or("the area has no modules")?;
    lines.insert(at, own);
    let text = lines.join("\n") + "\n";
    let (before, rest) = text.split_once("checks![").ok_or("the area has no `checks![…]`")?;
    let (list, after) = rest.split_once(']').ok_or("`checks![…]` is not closed")?;
    let checks = list.split(',').map(str::trim).filter(|name| !name.is_empty()).chain([module]);
    let checks: String = checks.map(|name| format!("    {name},\n")).collect();
    Ok(format!("{before}checks![\n{checks}]{after}"))
}

/// The faults with a new one, behind the last that a check of the area names.
fn with_fault(text: &str, area: &[String], variant: &str, name: &str) -> Result<String, String> {
    let used: Vec<&str> = area.iter().flat_map(|source| words_after(source, "Fault::")).collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let declares = |line: &String| line.trim().split_once(" = \"").is_some_and(|(known, _)| used.contains(&known));
    let at = lines.iter().rposition(declares).ok_or("no check of the area names a fault")?;
    lines.splice(
        at + 1..at + 1,
        [
            "    /// TODO: what the faulty server does, as one sentence.".to_owned(),
            format!("    {variant} = \"{name}\","),
        ],
    );
    Ok(lines.join("\n") + "\n")
}

fn check(id: &str, fault: &str) -> String {
    format!(
        r#"//! TODO: what must hold, in one sentence.
//!
//! TODO: what is sent, what must come back, what else is lawful, and why it matters.

use crate::{{
    catalogue::{{Check, Effort, Isolation, Need, Wait, cite}},
    fault::Fault,
    probe::{{Probe, Stop, Verdict}},
    verdict::{{Level, Row}},
}};

pub const CHECK: Check = Check {{
    id: "{id}",
    title: "TODO: what must hold",
    // TODO: from here to `wait`, and `effort`, these are guesses.
    level: Level::Must,
    row: Row::P,
    cites: &[cite::CHECKLIST],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[],
    wait: Wait::None,
    meaning: "TODO: what its failure means for a user",
    fix: "TODO: what to change in a Nuxt app",
    effort: Effort::Hours,
    faults: &[Fault::{fault}],
    run: |probe| Box::pin(run(probe)),
}};

// TODO: `rooms/own_room_eavesdrop.rs` is a model for exchanges of connected clients, `rest/response.rs` for requests; what a
// check can call is in `src/probe`.
async fn run(probe: &Probe) -> Verdict {{
    let _client = probe.client("a", probe.transport()).await?;
    // A pass is something that was seen. Until there is an exchange, nothing was.
    Err(Stop::Broken("TODO: this check is not written yet".into()))
}}
"#
    )
}

fn camel(name: &str) -> String {
    let capitalised = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    name.split('-').map(capitalised).collect()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| complaint(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| complaint(path, &error))
}

fn complaint(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
