//! A packet that announces far more attachments than anybody sends closes the connection (CVE-2026-33151).
//!
//! The server would keep all that comes until the last one is there, which is never. socket.io allows ten unless told
//! otherwise; a limit of up to a hundred is taken for a lawful choice. No attachments are sent here.

use crate::{
    catalogue::{
        Check, Effect, Effort, Isolation, Need, Wait, cite,
        socket::{Stage, not_closed, packet, still_open},
    },
    fault::Fault,
    probe::{Probe, Verdict},
    verdict::{Level, Row},
};

pub const CHECK: Check = Check {
    id: "security.excess-attachments",
    title: "Too many announced attachments close the connection",
    level: Level::Should,
    row: Row::D,
    cites: &[cite::CVE_2026_33151, cite::SIO_ENCODING],
    needs: &[Need::Connect],
    requires: &["auth.valid-token"],
    isolation: Isolation::SideBySide,
    effects: &[Effect::Malformed, Effect::Endangers],
    wait: Wait::None,
    meaning: "One user can fill the server's memory, until it dies for all.",
    fix: "Update: `npm update socket.io socket.io-parser` (socket.io-parser 4.2.6 or newer has the limit), and see by \
          `npm ls socket.io-parser` that no older one is left. Raise the limit only as far as the application needs it.",
    effort: Effort::Minutes,
    faults: &[Fault::TakesExcessAttachments],
    run: |probe| Box::pin(run(probe)),
};

/// One more than socket.io allows, and numbers that nobody needs.
const FEW: usize = 11;
const MANY: [usize; 2] = [101, 1_000];

async fn run(probe: &Probe) -> Verdict {
    let texts: Vec<String> = [FEW, MANY[0], MANY[1]]
        .into_iter()
        .flat_map(|count| {
            [packet(probe, &format!("5{count}-"), "[\"x\"]"), packet(probe, &format!("6{count}-"), "1[]")]
        })
        .collect();
    let mut open = still_open(probe, Stage::Connected, &texts).await?;
    let is_many = |sent: &str| MANY.iter().any(|count| sent.contains(&format!("{count}-")));
    if !open.iter().any(|one| is_many(&one.sent.text())) {
        if !open.is_empty() {
            probe.note(say!(
                "lawful choice: {few} attachments are allowed, and {many} are not",
                few = FEW,
                many = MANY[0]
            ));
        }
        open.clear();
    }
    not_closed(&open, "A packet that announces too many attachments")
}
