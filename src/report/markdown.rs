//! Markdown as GitHub shows it: in a step summary, or as a comment on a pull request.
//!
//! A comment may have 65,536 characters. What does not fit is left out, evidence first, and the end says so.

use std::io;

use super::{
    Format,
    scorecard::{self, Ending, Groups, Mark, PRIORITIES, Score},
    text::{self, Piece, pieces},
};
use crate::{
    lang::Lang,
    message::{self, Message},
    verdict::{Cause, CheckResult, Failure, RunReport},
    wire::shorten,
};

/// The most characters that GitHub takes as a comment. A step summary may be sixteen times as long.
const LIMIT: usize = 65_536;
/// What is kept for saying what was left out.
const RESERVE: usize = 1_000;
/// Messages of the exchange that are shown for one check, and characters of each.
const MESSAGES: usize = 30;
const MESSAGE: usize = 400;
/// Characters of what was sent, of what came back, and of what should have.
const FIELD: usize = 1_500;

/// The report as Markdown.
pub struct Markdown;

/// What a block is, the most important first: the last kinds are the first to be left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Head,
    Finding,
    Rest,
    Evidence,
}

#[derive(Default)]
struct Blocks(Vec<(Part, String)>);

impl Blocks {
    fn add(&mut self, part: Part, text: String) {
        self.0.push((part, text));
    }

    /// Drops what does not fit, the least important first, and says how many of each kind.
    fn fit(&mut self) -> [(Part, usize); 3] {
        let mut left = LIMIT - RESERVE;
        let mut kept = vec![false; self.0.len()];
        for part in [Part::Head, Part::Finding, Part::Rest, Part::Evidence] {
            for (block, kept) in self.0.iter().zip(&mut kept).filter(|(block, _)| block.0 == part) {
                let length = block.1.chars().count();
                *kept = length <= left;
                left -= if *kept { length } else { 0 };
            }
        }
        let dropped = |part| self.0.iter().zip(&kept).filter(|(block, kept)| block.0 == part && !**kept).count();
        let dropped = [Part::Finding, Part::Rest, Part::Evidence].map(|part| (part, dropped(part)));
        let mut kept = kept.into_iter();
        self.0.retain(|_| kept.next().unwrap_or_default());
        dropped
    }
}

impl Format for Markdown {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        let mut blocks = Blocks::default();
        let causes = scorecard::causes(report, lang);
        blocks.add(Part::Head, head(report, &causes, lang));
        let (findings, symptoms) = scorecard::findings_apart(report, &causes);
        if !findings.is_empty() || !causes.is_empty() {
            blocks.add(Part::Head, format!("## {}\n\n", lang.say("What to fix, in this order")));
        }
        for cause in &causes {
            let (id, title) = (code(&cause.id), prose(&cause.title));
            blocks.add(Part::Head, format!("- {id}: {title} ({})\n\n", words(&scorecard::extent(cause, lang))));
        }
        for (level, heading) in PRIORITIES {
            let mut heading = Some(format!("### {}\n\n", lang.say(heading)));
            for (result, failure) in findings.iter().filter(|(result, _)| result.level == level) {
                if let Some(heading) = heading.take() {
                    blocks.add(Part::Head, heading);
                }
                blocks.add(Part::Finding, finding(result, Ending::of(result, &report.gate), failure, lang));
                blocks.add(Part::Evidence, evidence(result, Some(failure), lang));
            }
        }
        let mut heading = Some(format!("## {}\n\n", lang.say("Findings explained by these causes")));
        for (result, failure) in symptoms {
            if let Some(heading) = heading.take() {
                blocks.add(Part::Head, heading);
            }
            blocks.add(Part::Finding, finding(result, Ending::of(result, &report.gate), failure, lang));
            blocks.add(Part::Evidence, evidence(result, Some(failure), lang));
        }
        for (heading, groups) in [
            ("Could not be judged", scorecard::broken(report)),
            ("Blocked", scorecard::blocked(report)),
            ("Skipped", scorecard::skipped(report)),
            ("Notes", scorecard::notes(report)),
        ] {
            if !groups.is_empty() {
                blocks.add(Part::Rest, grouped(heading, &groups, lang));
            }
            if heading == "Could not be judged" {
                let judged = groups.iter().flat_map(|(_, results)| results);
                judged.for_each(|result| blocks.add(Part::Evidence, evidence(result, None, lang)));
            }
        }
        let dropped = blocks.fit();
        for (_, block) in &blocks.0 {
            out.write_all(block.as_bytes())?;
        }
        for (part, number) in dropped.into_iter().filter(|(_, number)| *number > 0) {
            let what = match part {
                Part::Finding => say!("{number} finding is left out" | "{number} findings are left out", number),
                Part::Evidence => say!(
                    "what went over the wire is left out for {number} check"
                        | "what went over the wire is left out for {number} checks",
                    number
                ),
                Part::Head | Part::Rest => say!("{number} list is left out" | "{number} lists are left out", number),
            };
            let what = say!("To fit into a comment, {what}; the other reports have all.", what);
            writeln!(out, "> {}\n", words(&lang.tell(what)))?;
        }
        Ok(())
    }
}

fn root(cause: &Cause, report: &RunReport, lang: &Lang) -> String {
    let symptoms: Vec<String> = cause.symptoms.iter().map(|id| code(id)).collect();
    format!(
        "### {} {}\n\n{}\n\n{}{}{}\n\n**{}**: {}\n\n",
        scorecard::cause_mark(cause, report).symbol(),
        prose(&cause.title),
        told(&cause.seen),
        words(&scorecard::extent(cause, lang)),
        if symptoms.is_empty() { "" } else { ": " },
        symptoms.join(", "),
        words(&lang.say("Fix")),
        prose(&cause.fix),
    )
}

fn head(report: &RunReport, causes: &[Cause], lang: &Lang) -> String {
    let (mark, verdict) = scorecard::verdict(report);
    let score = Score::of(report);
    let mut head = format!(
        "# {} siospec: {}\n\n{} · siospec {} · {} · {}\n\n**{}**\n\n{}## {} {}\n\n",
        mark.symbol(),
        words(&lang.say(verdict)),
        code(&scorecard::target(report, lang)),
        words(&report.siospec),
        words(&report.started),
        text::duration(report.duration_ms),
        words(&scorecard::summary(report, lang)),
        causes.iter().map(|cause| root(cause, report, lang)).collect::<String>(),
        words(&lang.say("Score")),
        score.fraction(),
    );
    let part =
        |(mark, number): (Mark, usize)| format!("{} {}", mark.symbol(), scorecard::counted(number, mark.words(), lang));
    head += &format!("{}\n\n", score.parts().map(part).join(" · "));
    if let Some(caveat) = score.caveat(lang) {
        head += &format!("{}\n\n", words(&caveat));
    }
    head += &format!("| | {} | {} |\n|---|---|---|\n", words(&lang.say("Row")), words(&lang.say("Checks")));
    for row in scorecard::rows(report) {
        head += &format!(
            "| {} | **{}** {} | {} |\n",
            row.mark.symbol(),
            row.row.name(),
            words(&lang.say(row.row.title())),
            words(&row.tally(lang)),
        );
    }
    head += "\n";
    for note in report.notes.iter().map(told).chain(scorecard::about_run(report, lang).iter().map(|said| words(said))) {
        head += &format!("- {note}\n");
    }
    head + "\n"
}

fn finding(result: &CheckResult, ending: Ending, failure: &Failure, lang: &Lang) -> String {
    let effort = scorecard::effort(result, lang).map(|effort| format!(" ({})", words(&effort))).unwrap_or_default();
    let said = scorecard::about(result, lang);
    let said: String = said.iter().map(|said| format!("*{}*\n\n", words(said.trim()))).collect();
    format!(
        "#### {} {} {}\n\n{said}**{}**\n{}\n\n**{}**{effort}: {}\n\n",
        ending.mark().symbol(),
        code(&result.id),
        prose(&result.title),
        told(&failure.reason),
        prose(&result.meaning),
        words(&lang.say("Fix")),
        prose(&result.fix),
    )
}

fn evidence(result: &CheckResult, failure: Option<&Failure>, lang: &Lang) -> String {
    let summary = match failure {
        Some(_) => lang.say("What went over the wire"),
        None => lang.tell(say!("What went over the wire: {id}", id = result.id)),
    };
    let mut evidence = format!("<details><summary>{}</summary>\n\n", words(&summary));
    if let Some(failure) = failure {
        for (label, text) in [("Sent", &failure.sent), ("Got", &failure.received), ("Expected", &failure.expected)] {
            if !text.is_empty() {
                let block = block(&shorten(&text::visible_lines(&text.text()), FIELD));
                evidence += &format!("{}\n\n{block}\n", words(&lang.say(label)));
            }
        }
    }
    let exchange = scorecard::exchange(result);
    let lines: Vec<String> = exchange.lines().map(|line| shorten(line, MESSAGE)).collect();
    let shown = lines.len().min(MESSAGES);
    if shown > 0 {
        let label = match lines.len() {
            all if all > shown => lang.tell(say!("The last {shown} of {all} messages", shown, all)),
            _ => lang.say("The exchange"),
        };
        evidence += &format!("{}\n\n{}\n", words(&label), block(&lines[lines.len() - shown..].join("\n")));
    }
    for note in &result.notes {
        evidence += &format!("- {}\n", told(note));
    }
    for cite in &result.cites {
        let place = words(&cite.place);
        let is_absolute = cite.url.starts_with("https://");
        evidence += &if is_absolute { format!("- [{place}]({})\n", cite.url) } else { format!("- {place}\n") };
    }
    evidence += &format!("\n{}\n\n{}\n", words(&lang.say("Reproduce it")), block(&result.reproduce));
    if !result.by_hand.is_empty() {
        let label = words(&lang.say("Reproduce it without siospec"));
        evidence += &format!("{label}\n\n{}\n", block(&text::visible_lines(&result.script())));
    }
    evidence + "</details>\n\n"
}

fn grouped(heading: &str, groups: &Groups<'_>, lang: &Lang) -> String {
    let mut list = format!("## {}\n\n", words(&lang.say(heading)));
    for (reason, results) in groups {
        let ids: Vec<String> = results.iter().map(|result| code(&result.id)).collect();
        list += &format!("- {}: {}\n", told(reason), ids.join(", "));
        for (result, said) in scorecard::said_of(results, lang) {
            list += &format!("  - {}: {}\n", code(&result.id), words(&said));
        }
    }
    list + "\n"
}

/// What was said, in which code stands between backticks.
fn told(message: &Message) -> String {
    let pieces = message.pieces().into_iter().map(|piece| match piece {
        message::Piece::Words(text) | message::Piece::Data(text) => words(&text),
        message::Piece::Code(text) => code(&text),
    });
    pieces.collect()
}

/// Text of ours, in which code stands between backticks.
fn prose(text: &str) -> String {
    let piece = |piece: &Piece<'_>| match piece {
        Piece::Words(text) => words(text),
        Piece::Code(text) => code(text),
    };
    pieces(text).iter().map(piece).collect()
}

/// Text as nothing but text: no markup, no HTML, and nobody mentioned.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text::visible_lines(text).chars() {
        match c {
            // An empty comment keeps GitHub from making a mention of it, or a reference to an issue.
            '@' | '#' => out.extend([c, '<', '!', '-', '-', ' ', '-', '-', '>']),
            '\n' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '!' | '|' | '~' | '&' | '$' => {
                out.extend(['\\', c]);
            }
            _ => out.push(c),
        }
    }
    // What would begin a list or a heading.
    match out.chars().next() {
        Some('+' | '-' | '=') => format!("\\{out}"),
        _ => out,
    }
}

/// Text as code within a line.
fn code(text: &str) -> String {
    let text = text::visible(text).replace('`', "'");
    if text.trim().is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\u{2502}")) }
}

/// Text as a block of code, which nothing in it can end.
fn block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}text\n{text}\n{fence}\n")
}
