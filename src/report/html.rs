//! The report as one page for a browser, which needs nothing else: no network, no fonts, no script even.
//!
//! maud escapes every text. Should one slip through all the same, the page's own policy lets no script run but ours.

use std::{collections::BTreeMap, io, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Format,
    scorecard::{self, Ending, Groups, Mark, PRIORITIES, SCORED, Score},
    text::{self, Piece, pieces, visible, visible_lines},
};
use crate::{
    lang::Lang,
    message::{self, Message},
    verdict::{Cause, CheckResult, Direction, Entry, Failure, Outcome, Row, RunReport},
};

const STYLE: &str = include_str!("html.css");
const SCRIPT: &str = include_str!("html.js");

/// Messages of the exchange that are shown for one check: the last ones.
const MESSAGES: usize = 120;
/// Characters of a message beyond which it is folded.
const FOLDED: usize = 360;
/// A pause at least this long is drawn as one.
const PAUSE: Duration = Duration::from_millis(400);
/// Colours that tell connections apart; see the style sheet.
const COLOURS: usize = 6;

/// The report as HTML.
pub struct Html;

impl Format for Html {
    fn write(&self, report: &RunReport, lang: &Lang, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "{}", Page { report, lang }.page().0)
    }
}

struct Page<'a> {
    report: &'a RunReport,
    lang: &'a Lang,
}

impl Page<'_> {
    fn ending(&self, result: &CheckResult) -> Ending {
        Ending::of(result, &self.report.gate)
    }

    fn say(&self, english: &str) -> String {
        self.lang.say(english)
    }

    fn tell(&self, message: Message) -> String {
        self.lang.tell(message)
    }

    fn page(&self) -> Markup {
        let hash = STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'");
        let title = format!("siospec: {}", visible(&self.report.target));
        html! {
            (DOCTYPE)
            html lang=(self.lang.code()) {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (symbols())
                    a.skip href="#checks" { (self.say("To the checks")) }
                    header.top { div.sheet { (self.head()) } }
                    main.sheet {
                        @let causes = scorecard::causes(self.report, self.lang);
                        (self.causes(&causes))
                        (self.scorecard())
                        div #checks {
                            (self.filter())
                            (self.findings(&causes))
                            (self.groups("Could not be judged", "broken", scorecard::broken(self.report)))
                            (self.groups("Blocked", "blocked", scorecard::blocked(self.report)))
                            (self.groups("Skipped", "skipped", scorecard::skipped(self.report)))
                            (self.passed())
                        }
                    }
                    footer.sheet {
                        p { (visible(&self.tell(say!("Made by siospec {version}", version = self.report.siospec)))) }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }

    fn icon(&self, mark: Mark) -> Markup {
        let name = match mark {
            Mark::Right => "right",
            Mark::ToImprove => "improve",
            Mark::PartlyJudged => "partly",
            Mark::Failed => "failed",
            Mark::NotJudged => "unjudged",
        };
        html! {
            svg.icon.{ "is-" (name) } role="img" aria-label=(self.say(mark.words())) { use href=(format!("#icon-{name}")); }
        }
    }

    fn head(&self) -> Markup {
        let (mark, verdict) = scorecard::verdict(self.report);
        let time = self.tell(say!("in {time}", time = text::duration(self.report.duration_ms)));
        html! {
            p.brand { "siospec " span.quiet { (self.say("Socket.IO conformance report")) } }
            h1 { (self.icon(mark)) span { (capitalised(&self.say(verdict))) } }
            p.target { (visible(&scorecard::target(self.report, self.lang))) }
            p.quiet {
                (scorecard::summary(self.report, self.lang)) " " (time) " · "
                time datetime=(self.report.started) { (self.report.started.replace('T', " ").replace('Z', " UTC")) }
            }
            @let said = scorecard::about_run(self.report, self.lang);
            @if !self.report.notes.is_empty() || !said.is_empty() {
                ul.remarks {
                    @for note in &self.report.notes { li { (told(note)) } }
                    @for note in &said { li { (visible(note)) } }
                }
            }
        }
    }

    /// What is wrong at the root, with links to what it shows by.
    fn causes(&self, causes: &[Cause]) -> Markup {
        html! {
            @if !causes.is_empty() {
                section aria-labelledby="causes" {
                    h2 #causes { (self.say("Causes")) }
                    @for cause in causes {
                        article.card.{ "is-" (cause.level.priority()) } {
                            header {
                                (self.icon(scorecard::cause_mark(cause, self.report)))
                                div {
                                    h4 { (prose(&cause.title)) }
                                    p.chips {
                                        code.id { (visible(&cause.id)) }
                                        span.chip { (cause.row.name()) " " (self.say(cause.row.title())) }
                                    }
                                }
                            }
                            p { (told(&cause.seen)) }
                            p {
                                span.quiet {
                                    (scorecard::extent(cause, self.lang))
                                    @if !cause.symptoms.is_empty() { ": " }
                                }
                                @for (number, id) in cause.symptoms.iter().enumerate() {
                                    @if number > 0 { ", " }
                                    code.id { (visible(id)) }
                                }
                            }
                            div.fix {
                                h5 { (self.say("What to change")) }
                                @for line in cause.fix.lines() { p { (prose(line)) } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn scorecard(&self) -> Markup {
        let score = Score::of(self.report);
        html! {
            section aria-labelledby="scorecard" {
                h2 #scorecard { (self.say("Scorecard")) }
                div.score {
                    p.figure { b { (score.right) } span { "/" (SCORED) } }
                    div {
                        ul.legend {
                            @for (mark, number) in score.parts() {
                                li { (self.icon(mark)) (scorecard::counted(number, mark.words(), self.lang)) }
                            }
                        }
                        @if let Some(caveat) = score.caveat(self.lang) { p.quiet { (caveat) } }
                    }
                }
                ol.rows {
                    @for row in scorecard::rows(self.report) {
                        li {
                            a href="#checks" data-choose=(row.row.name()) {
                                (self.icon(row.mark))
                                span.name { (row.row.name()) }
                                span.title { (self.say(row.row.title())) }
                                span.tally { (row.tally(self.lang)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn filter(&self) -> Markup {
        let results = &self.report.results;
        let rows: Vec<Row> =
            Row::ALL.into_iter().filter(|row| results.iter().any(|result| result.row == *row)).collect();
        let endings = Ending::ALL.into_iter().filter(|ending| results.iter().any(|it| self.ending(it) == *ending));
        html! {
            form #filter hidden aria-label=(self.say("Filter the checks")) {
                label {
                    span { (self.say("Row")) }
                    select name="row" {
                        option value="" { (self.say("all")) }
                        @for row in rows {
                            option value=(row.name()) { (row.name()) " " (self.say(row.title())) }
                        }
                    }
                }
                label {
                    span { (self.say("Level")) }
                    select name="level" {
                        option value="" { (self.say("all")) }
                        @for (level, _) in PRIORITIES { option value=(level.name()) { (level.name()) } }
                    }
                }
                label {
                    span { (self.say("Outcome")) }
                    select name="outcome" {
                        option value="" { (self.say("all")) }
                        @for ending in endings { option value=(ending.words()) { (self.say(ending.words())) } }
                    }
                }
                button type="reset" { (self.say("Show all")) }
                p #shown.quiet role="status" data-text=(self.say("{shown} of {all} checks are shown")) {}
            }
        }
    }

    fn findings(&self, causes: &[Cause]) -> Markup {
        let (findings, symptoms) = scorecard::findings_apart(self.report, causes);
        html! {
            @if !symptoms.is_empty() {
                section data-group aria-labelledby="symptoms" {
                    h2 #symptoms { (self.say("Findings explained by these causes")) }
                    @for (result, failure) in symptoms { (self.finding(result, failure)) }
                }
            }
            @if !findings.is_empty() {
                section data-group aria-labelledby="fixes" {
                    h2 #fixes { (self.say("What to fix, in this order")) }
                    @for (level, heading) in PRIORITIES {
                        @let findings: Vec<_> = findings.iter().filter(|(result, _)| result.level == level).collect();
                        @if !findings.is_empty() {
                            div data-group {
                                h3.priority { (self.say(heading)) " " span.count { (findings.len()) } }
                                @for (result, failure) in findings { (self.finding(result, failure)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn finding(&self, result: &CheckResult, failure: &Failure) -> Markup {
        let ending = self.ending(result);
        html! {
            article.card.{ "is-" (result.level.priority()) } id=(result.id) data-row=(result.row.name())
                data-level=(result.level.name()) data-outcome=(ending.words())
            {
                header {
                    (self.icon(ending.mark()))
                    div {
                        h4 { (told(&failure.reason)) }
                        p.chips { (self.chips(result)) }
                        (self.gate(result))
                    }
                }
                p { span.quiet { (self.say("What must hold:")) } " " (prose(&result.title)) }
                p { (prose(&result.meaning)) }
                div.fix {
                    h5 {
                        (self.say("What to change"))
                        @if let Some(effort) = scorecard::effort(result, self.lang) { " " span.chip { (effort) } }
                    }
                    @for line in result.fix.lines() { p { (prose(line)) } }
                }
                dl {
                    @for (label, text) in
                        [("Sent", &failure.sent), ("Got", &failure.received), ("Expected", &failure.expected)]
                    {
                        @if !text.is_empty() {
                            dt { (self.say(label)) }
                            dd { pre { (visible_lines(&text.text())) } }
                        }
                    }
                }
                (self.exchange(&result.transcript))
                (self.remarks(result))
                (self.sources(result))
                (self.again(result))
            }
        }
    }

    fn chips(&self, result: &CheckResult) -> Markup {
        html! {
            code.id { (visible(&result.id)) }
            span.chip { (result.level.name()) }
            span.chip { (result.row.name()) " " (self.say(result.row.title())) }
            @let ending = self.ending(result);
            @if matches!(ending, Ending::Waived | Ending::Known | Ending::Flaky) {
                span.chip.gate { (self.say(ending.words())) }
            }
        }
    }

    /// Waived, known, worse, flaky.
    fn gate(&self, result: &CheckResult) -> Markup {
        html! { @for said in scorecard::about(result, self.lang) { p.gate { (visible(&said)) } } }
    }

    fn remarks(&self, result: &CheckResult) -> Markup {
        html! {
            @if !result.notes.is_empty() {
                ul.remarks { @for note in &result.notes { li { (told(note)) } } }
            }
        }
    }

    fn sources(&self, result: &CheckResult) -> Markup {
        html! {
            @if !result.cites.is_empty() {
                p.sources {
                    (self.say("See")) " "
                    @for (number, cite) in result.cites.iter().enumerate() {
                        @if number > 0 { " · " }
                        // A path of the repository leads nowhere from here.
                        @if cite.url.starts_with("https://") {
                            a href=(cite.url) rel="noreferrer" { (visible(&cite.place)) }
                        } @else {
                            (visible(&cite.place))
                        }
                    }
                }
            }
        }
    }

    fn again(&self, result: &CheckResult) -> Markup {
        html! {
            div.again { h5 { (self.say("Reproduce it")) } pre { code { (visible(&result.reproduce)) } } }
            @if !result.by_hand.is_empty() {
                div.again {
                    h5 { (self.say("Reproduce it without siospec")) }
                    pre { code { (visible_lines(&result.script())) } }
                }
            }
        }
    }

    /// What went over the wire, as a sequence between two lanes.
    fn exchange(&self, entries: &[Entry]) -> Markup {
        let shown = &entries[entries.len().saturating_sub(MESSAGES)..];
        let mut connections: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.connection.is_empty()) {
            let next = connections.len();
            connections.entry(&entry.connection).or_insert(next);
        }
        let (count, number) = (entries.len(), connections.len());
        let summary = self.tell(match (count, number) {
            (1, _) | (_, 0 | 1) => {
                say!("What went over the wire: {count} message" | "What went over the wire: {count} messages", count)
            }
            _ => say!("What went over the wire: {count} messages on {number} connections", count, number),
        });
        html! {
            @if !entries.is_empty() {
                details.exchange {
                    summary { (summary) }
                    @if shown.len() < entries.len() {
                        p.quiet { (self.tell(say!("Only the last {count} are shown.", count = shown.len()))) }
                    }
                    div.lanes aria-hidden="true" { span { "siospec" } span { (self.say("server")) } }
                    ol.wire {
                        @for (index, entry) in shown.iter().enumerate() {
                            @let before = if index == 0 { entry.at_ms } else { shown[index - 1].at_ms };
                            @let pause = entry.at_ms.saturating_sub(before);
                            @if u128::from(pause) >= PAUSE.as_millis() {
                                li.pause { span { (self.tell(say!("{time} later", time = text::duration(pause)))) } }
                            }
                            (self.message(entry, connections.get(entry.connection.as_str()).copied()))
                        }
                    }
                }
            }
        }
    }

    fn message(&self, entry: &Entry, connection: Option<usize>) -> Markup {
        let (class, label) = match entry.direction {
            Direction::Sent => ("sent", "sent"),
            Direction::Received => ("received", "received"),
            Direction::Remark => ("remark", "remark"),
        };
        let colour = connection.unwrap_or_default() % COLOURS;
        let text = visible_lines(&entry.text);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        // Status line or request line, then header fields, then the body.
        let headers = rest.lines().take_while(|line| is_header(line)).count();
        let body = rest.lines().skip(headers).collect::<Vec<_>>().join("\n");
        let headers = rest.lines().take(headers).collect::<Vec<_>>().join("\n");
        html! {
            li.{ (class) }.{ "colour-" (colour) } {
                p.meta {
                    span.unseen { (self.say(label)) " " }
                    @if connection.is_some() { span.connection { (visible(&entry.connection)) } }
                    span.time { (entry.at_ms) " ms" }
                }
                @if !first.is_empty() { (folded(first)) }
                @if !headers.is_empty() { pre.headers { (headers) } }
                @if !body.is_empty() { (folded(&body)) }
            }
        }
    }

    /// Checks of which there is nothing to say but why.
    fn groups(&self, heading: &str, id: &str, groups: Groups<'_>) -> Markup {
        html! {
            @if !groups.is_empty() {
                section data-group aria-labelledby=(id) {
                    h2 #(id) { (self.say(heading)) }
                    @for (reason, results) in groups {
                        div.card data-group {
                            p.reason { (told(reason)) }
                            ul.checks {
                                @for result in results {
                                    (self.line(result, html! {
                                        @if matches!(result.outcome, Outcome::Broken { .. }) {
                                            (self.exchange(&result.transcript))
                                            (self.again(result))
                                        }
                                    }))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn passed(&self) -> Markup {
        let passed: Vec<_> =
            self.report.results.iter().filter(|result| matches!(result.outcome, Outcome::Pass)).collect();
        html! {
            @if !passed.is_empty() {
                section data-group aria-labelledby="passed" {
                    h2 #passed { (self.say("Passed")) " " span.count { (passed.len()) } }
                    ul.checks.card { @for result in passed { (self.line(result, html! {})) } }
                }
            }
        }
    }

    fn line(&self, result: &CheckResult, more: Markup) -> Markup {
        let ending = self.ending(result);
        html! {
            li id=(result.id) data-row=(result.row.name()) data-level=(result.level.name())
                data-outcome=(ending.words())
            {
                (self.icon(ending.mark()))
                div {
                    p { (prose(&result.title)) }
                    p.chips {
                        (self.chips(result))
                        @if !matches!(ending, Ending::Skipped | Ending::Blocked) { span.time { (text::duration(result.duration_ms)) } }
                    }
                    (self.gate(result))
                    (self.remarks(result))
                    (more)
                }
            }
        }
    }
}

fn is_header(line: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    line.split_once(": ").is_some_and(|(name, _)| is_name(name))
}

/// A long text behind its beginning.
fn folded(text: &str) -> Markup {
    html! {
        @if text.chars().count() <= FOLDED {
            pre { (text) }
        } @else {
            @let head: String = text.chars().take(FOLDED / 4).collect();
            details.folded { summary { code { (head) "…" } } pre { (text) } }
        }
    }
}

/// What was said, in which code stands between backticks.
fn told(message: &Message) -> Markup {
    html! {
        @for piece in message.pieces() {
            @match piece {
                message::Piece::Words(text) | message::Piece::Data(text) => (visible_lines(&text)),
                message::Piece::Code(text) => code { (visible_lines(&text)) },
            }
        }
    }
}

/// Text of ours, in which code stands between backticks.
fn prose(text: &str) -> Markup {
    let text = visible_lines(text);
    html! {
        @for piece in pieces(&text) {
            @match piece {
                Piece::Words(text) => (text),
                Piece::Code(text) => code { (text) },
            }
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The marks, drawn: no font need have them.
fn symbols() -> Markup {
    html! {
        svg.symbols aria-hidden="true" {
            symbol id="icon-right" viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="8" fill="currentColor" {}
                path d="M4.5 8.3l2.4 2.4 4.6-5" fill="none" stroke="var(--sheet)" stroke-width="1.8" {}
            }
            symbol id="icon-improve" viewBox="0 0 16 16" {
                path d="M8 .8 16 15H0z" fill="currentColor" {}
                path d="M8 5.6v4.6m0 1.3v1.7" fill="none" stroke="var(--sheet)" stroke-width="1.7" {}
            }
            symbol id="icon-partly" viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1.5" {}
                path d="M8 1a7 7 0 0 0 0 14z" fill="currentColor" {}
            }
            symbol id="icon-failed" viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="8" fill="currentColor" {}
                path d="M5.2 5.2l5.6 5.6m0-5.6l-5.6 5.6" fill="none" stroke="var(--sheet)" stroke-width="1.8" {}
            }
            symbol id="icon-unjudged" viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" stroke-width="1.5" {}
                path d="M5 8h6" fill="none" stroke="currentColor" stroke-width="1.5" {}
            }
        }
    }
}
