//! `siospec list`, `explain` and `faults`: the catalogue, for reading.

use clap::Args;
use serde_json::json;

use super::{Ended, SelectionArgs, Trouble, out};
use crate::{
    catalogue::{self, Check, Need, nearest},
    mock::{Fault, Scenario},
    report::text::{self, BOLD, DIM, PLAIN, Page, pad},
    verdict::ExitCode,
};

#[derive(Args)]
pub struct ListArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Also say what each does beyond what a client does every day
    #[arg(long)]
    effects: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn list(args: &ListArgs) -> Ended {
    let checks = args.selection.selection()?.checks();
    if checks.is_empty() {
        return Err(Trouble::new(ExitCode::NothingMatched, "--skip leaves none of the checks that --only names"));
    }
    if args.json {
        let checks: Vec<_> = checks
            .iter()
            .map(|check| {
                let effects: Vec<_> = check.effects.iter().map(|effect| effect.name()).collect();
                json!({ "id": check.id, "level": check.level, "row": check.row, "title": check.title, "effects": effects })
            })
            .collect();
        out::print(&format!("{:#}\n", json!(checks)))?;
        return Ok(ExitCode::Conforms.into());
    }
    let mut page = Page::new(text::width());
    let id_width = checks.iter().map(|check| check.id.len()).max().unwrap_or_default();
    for check in checks {
        let label =
            format!("{}  {} {}", pad(check.id, id_width), pad(check.level.name(), 6), pad(&check.row.name(), 3));
        let indent = id_width + 2 + 6 + 1 + 3 + 1;
        page.item((&label, PLAIN), indent, (check.title, PLAIN));
        if args.effects {
            check.effects.iter().for_each(|effect| page.item(("", PLAIN), indent, (effect.meaning(), DIM)));
        }
    }
    out::print(&page.finish())?;
    Ok(ExitCode::Conforms.into())
}

#[derive(Args)]
pub struct ExplainArgs {
    /// The check, such as auth.expired
    id: String,
}

pub fn explain(args: &ExplainArgs) -> Ended {
    let Some(entry) = catalogue::find(&args.id) else {
        let message = format!("there is no check `{}`{}; `siospec list` shows them all", args.id, nearest(&args.id));
        return Err(Trouble::mistake(message));
    };
    let check = entry.check;
    let mut page = Page::new(text::width());
    page.line(0, BOLD, check.id);
    page.item(("", PLAIN), 0, (check.title, PLAIN));
    page.item(("", PLAIN), 0, (&format!("{} · {} {}", check.level.name(), check.row.name(), check.row.title()), DIM));
    page.gap();
    markdown(&mut page, &entry.documentation());
    for (label, text) in [("On failure", check.meaning), ("Fix", check.fix)] {
        page.gap();
        page.line(0, BOLD, label);
        page.prose(("", PLAIN), 2, text);
    }
    page.item(("", PLAIN), 2, (&format!("The fix is a matter of {}.", check.effort.name()), DIM));
    let needs = needs(check);
    if !needs.is_empty() {
        page.gap();
        page.line(0, BOLD, "Needs");
        needs.iter().for_each(|need| page.item(("  -", PLAIN), 4, (need, PLAIN)));
    }
    if !check.effects.is_empty() {
        page.gap();
        page.line(0, BOLD, "Beyond normal client traffic");
        check.effects.iter().for_each(|effect| page.item(("  -", PLAIN), 4, (effect.meaning(), PLAIN)));
    }
    page.gap();
    page.line(0, BOLD, "See");
    for cite in check.cites {
        page.item(("  -", PLAIN), 4, (cite.place, PLAIN));
        page.line(4, DIM, cite.url);
    }
    page.gap();
    page.line(0, BOLD, "See it fail");
    for fault in check.faults {
        page.item(("  -", PLAIN), 4, (fault.description(), PLAIN));
        page.line(
            4,
            DIM,
            &format!("siospec run --ping-interval 300ms --ping-timeout 1s --only {} --fault {fault}", check.id),
        );
    }
    out::print(&page.finish())?;
    Ok(ExitCode::Conforms.into())
}

fn needs(check: &Check) -> Vec<String> {
    let need = |need: &Need| match need {
        Need::Connect => "a valid token or the means to make one (--auth-secret, --auth-token, …), or declared guests",
        Need::Token => "a valid token or the means to make one (--auth-secret, --auth-token, …)",
        Need::SigningKey => "the signing key (--auth-secret or --auth-private-key-file)",
        Need::Refusals => "a deployment that does not let guests in",
        Need::Ping => "the declared ping event (ping.event)",
        Need::Rooms => "the declared room events (rooms.join-event, …)",
        Need::DistinctRoomMessages => "room messages with {{message}} in them",
        Need::Rest => "the declared REST trigger (rest.path)",
        Need::RestCredentials => "declared credentials of the REST trigger (rest.credentials)",
        Need::Ack => "a declared event that is acknowledged (ack.event)",
        Need::Echo => "an acknowledgement, or room messages, with {{message}} in them",
        Need::Namespaces => "a declared second namespace (choices.namespaces)",
        Need::FixedNamespaces => "a deployment that does not let any namespace be connected to",
        Need::PrivateRoom => "a declared private room (choices.private-room)",
        Need::Origins => "declared foreign origins (origins)",
        Need::Cookie => "a cookie that authenticates a user (headers)",
        Need::Nodes => "a second node of the deployment (--node)",
        Need::Issuer => "a declared issuer of tokens (auth.issuer)",
        Need::Audience => "a declared audience of tokens (auth.audience)",
        Need::Hmac => "tokens signed by HMAC (auth.algorithm)",
        Need::PublicKey => "the public key of an asymmetric algorithm (--auth-public-key-file)",
        Need::Https => "a target that is reached by https",
        Need::Reload => "a way to reload the application (--reload-command or --reload-url)",
        Need::Polling => "polling that works",
        Need::WebSocket => "WebSocket that works",
        Need::PollingDeclared => "a deployment that is not declared WebSocket-only",
        Need::WebSocketDeclared => "a deployment that is not declared polling-only",
        Need::InteropClient => "a build of siospec with the feature interop",
    };
    let requires = check.requires.iter().map(|id| format!("{id} to pass"));
    check.needs.iter().map(|one| need(one).to_owned()).chain(requires).collect()
}

/// As much of Markdown as the checks' documentation uses: paragraphs, lists and code.
fn markdown(page: &mut Page, source: &str) {
    let mut paragraph = String::new();
    let (mut is_code, mut is_gap) = (false, false);
    for line in source.lines().chain([""]) {
        let is_fence = line.trim_start().starts_with("```");
        let is_item = line.trim_start().starts_with(['-', '*']);
        if !paragraph.is_empty() && (is_fence || is_item || line.trim().is_empty()) {
            flush(page, &mut paragraph);
        }
        if is_fence {
            is_code = !is_code;
        } else if is_code {
            page.line(4, PLAIN, line);
        } else if line.trim().is_empty() {
            is_gap = true;
        } else {
            // Not at once: the last one has nothing after it.
            if std::mem::take(&mut is_gap) {
                page.gap();
            }
            paragraph.push_str(line.trim());
            paragraph.push(' ');
        }
    }
}

fn flush(page: &mut Page, paragraph: &mut String) {
    // Links to items of the source code lead nowhere here.
    let text = paragraph.replace("[`", "`").replace("`]", "`");
    match text.strip_prefix(['-', '*']) {
        Some(item) => page.item(("-", PLAIN), 2, (item.trim(), PLAIN)),
        None => page.item(("", PLAIN), 0, (text.trim(), PLAIN)),
    }
    paragraph.clear();
}

pub fn faults() -> Ended {
    let mut page = Page::new(text::width());
    for fault in Fault::ALL {
        let checks = catalogue::all().map(|entry| entry.check).filter(|check| check.faults.contains(fault));
        let checks: Vec<&str> = checks.map(|check| check.id).collect();
        page.line(0, BOLD, fault.name());
        page.item(("", PLAIN), 4, (fault.description(), PLAIN));
        let fails = if checks.is_empty() { "no check".to_owned() } else { checks.join(", ") };
        page.item(("    fails", DIM), 10, (&fails, DIM));
    }
    page.gap();
    page.line(0, BOLD, "Scenarios: several faults of one cause (--scenario)");
    for scenario in Scenario::ALL {
        page.line(0, BOLD, scenario.name());
        page.item(("", PLAIN), 4, (scenario.description(), PLAIN));
    }
    out::print(&page.finish())?;
    Ok(ExitCode::Conforms.into())
}
