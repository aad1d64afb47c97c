//! A badge: as an image (SVG), or as JSON from which shields.io draws one.

use std::{io, path::Path};

use maud::{PreEscaped, html};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::{
    Format,
    scorecard::{self, Mark, Score},
};
use crate::{
    lang::Lang,
    verdict::{ExitCode, RunReport},
};

/// What the left half says.
const LABEL: &str = "Socket.IO";

/// The verdict and the score as a badge.
pub enum Badge {
    /// An image.
    Svg,
    /// What shields.io calls an endpoint.
    Shields,
}

impl Badge {
    /// The form that the file's name asks for; an image for standard output.
    ///
    /// # Errors
    /// When the name asks for neither.
    pub fn for_file(file: Option<&Path>) -> Result<Badge, String> {
        let Some(file) = file else { return Ok(Badge::Svg) };
        match file.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).as_deref() {
            Some("svg") => Ok(Badge::Svg),
            Some("json") => Ok(Badge::Shields),
            _ => Err(format!("{}: a badge's file ends in .svg or .json, for shields.io", file.display())),
        }
    }
}

impl Format for Badge {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let verdict = match report.exit_code() {
            ExitCode::Conforms if report.counts().unjudged == 0 => "conforms",
            _ => scorecard::verdict(report).1,
        };
        let message = format!("{} · {}", lang.say(verdict), Score::of(report).fraction());
        let (name, colour) = match scorecard::verdict(report).0 {
            Mark::Right => ("brightgreen", "#2e7d32"),
            Mark::ToImprove | Mark::PartlyJudged => ("yellow", "#8a6100"),
            Mark::Failed => ("red", "#b3261e"),
            Mark::NotJudged => ("lightgrey", "#5f6368"),
        };
        match self {
            Badge::Shields => {
                let badge = json!({ "schemaVersion": 1, "label": LABEL, "message": message, "color": name });
                writeln!(out, "{badge:#}")
            }
            Badge::Svg => writeln!(out, "{}", svg(&message, colour).0),
        }
    }
}

/// The text is told how wide to be, so that it fits whatever font there is. Verdana takes about 6.4 pixels a character.
fn svg(message: &str, colour: &str) -> PreEscaped<String> {
    let width = |text: &str| text.width() * 64 / 10 + 14;
    let (left, right) = (width(LABEL), width(message));
    let all = left + right;
    let name = format!("{LABEL}: {message}");
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height="20" viewBox=(format!("0 0 {all} 20")) role="img"
            aria-label=(name)
        {
            title { (name) }
            clipPath id="corners" { rect width=(all) height="20" rx="3" {} }
            g clip-path="url(#corners)" {
                rect width=(left) height="20" fill="#3c4043" {}
                rect x=(left) width=(right) height="20" fill=(colour) {}
            }
            g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle" {
                text x=(left / 2) y="14" textLength=(left - 14) { (LABEL) }
                text x=(left + right / 2) y="14" textLength=(right - 14) { (message) }
            }
        }
    }
}
