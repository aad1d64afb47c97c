//! `--report FORMAT[=PATH]`: which reports a run is to write, and where.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;

use super::{Trouble, out};
use crate::{
    lang::Lang,
    report::{Format, Kind, text, verdict_line},
    verdict::{ExitCode, RunReport},
};

/// What one `--report` asks for.
#[derive(Clone)]
pub struct Wanted {
    kind: Kind,
    /// `None` is standard output.
    file: Option<PathBuf>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Wanted, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("a path belongs behind the `=`; `-` is standard output".into()),
            Some((name, file)) => (name, Some(file)),
            None => (text, None),
        };
        Ok(Wanted { kind: name.parse()?, file: file.filter(|file| *file != "-").map(PathBuf::from) })
    }
}

/// What comes of a run, and in which language.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write a report; any number of times. FORMAT is terminal, json, junit, html, markdown, github, sarif, tap or badge;
    /// without a PATH, or with `-`, it goes to standard output in place of the terminal's
    #[arg(long = "report", value_name = "FORMAT[=PATH]")]
    reports: Vec<Wanted>,
    /// The language of the reports [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG", value_parser = ["en", "th"])]
    lang: Option<String>,
}

/// The reports of a run.
pub struct Reports {
    lang: Lang,
    stdout: (Kind, Box<dyn Format>),
    files: Vec<Written>,
}

type Written = (Kind, PathBuf, Box<dyn Format>);

impl Reports {
    /// Looks whether all can be written, before a run is spent on them. Missing folders are made.
    pub fn new(args: &OutputArgs) -> Result<Reports, Trouble> {
        let mut stdout = None;
        let mut files: Vec<Written> = Vec::new();
        for Wanted { kind, file } in &args.reports {
            let complain = |what: String| Trouble::mistake(format!("--report {}: {what}", kind.name()));
            let format = kind.format(file.as_deref()).map_err(complain)?;
            match file {
                None if stdout.is_some() => {
                    return Err(complain(
                        "standard output holds one report; give the others a path, as in \
                                         `--report json=report.json`"
                            .into(),
                    ));
                }
                None => stdout = Some((*kind, format)),
                Some(file) if files.iter().any(|(_, other, _)| other == file) => {
                    return Err(complain(format!("{} is another report's already", file.display())));
                }
                Some(file) => {
                    try_to_write(file)
                        .map_err(|error| complain(format!("cannot write {}: {error}", file.display())))?;
                    files.push((*kind, file.clone(), format));
                }
            }
        }
        let stdout = match stdout {
            Some(stdout) => stdout,
            None => (Kind::Terminal, Kind::Terminal.format(None).map_err(Trouble::mistake)?),
        };
        let lang = match &args.lang {
            Some(code) => code.parse().map_err(Trouble::mistake)?,
            None => Lang::from_environment(|name| std::env::var(name).ok()),
        };
        Ok(Reports { lang, stdout, files })
    }

    /// The language of the reports.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether standard output holds something that a program reads.
    pub fn take_stdout(&self) -> bool {
        self.stdout.0 != Kind::Terminal
    }

    /// Writes them all, standard output last. Where one cannot be written, the process ends for that, and the reports that
    /// state its exit code say so.
    ///
    /// # Errors
    /// The first that could not be written; the others are all the same.
    pub fn write(&self, report: &mut RunReport) -> Result<(), Trouble> {
        let mut troubles: Vec<Trouble> =
            self.files.iter().filter_map(|file| self.write_file(file, report).err()).collect();
        if !troubles.is_empty() {
            self.own_up(report);
        }
        let (kind, format) = &self.stdout;
        if let Err(trouble) = made(*kind, &**format, report, &self.lang).and_then(|text| out::print(&text)) {
            if troubles.is_empty() {
                self.own_up(report);
            }
            troubles.push(trouble);
        }
        if *kind != Kind::Terminal {
            text::say(verdict_line(report, &self.lang, text::width()).trim_end());
        }
        troubles.into_iter().next().map_or(Ok(()), Err)
    }

    fn write_file(&self, (kind, file, format): &Written, report: &RunReport) -> Result<(), Trouble> {
        let text = made(*kind, &**format, report, &self.lang)?;
        let text = if *kind == Kind::Terminal { anstream::adapter::strip_str(&text).to_string() } else { text };
        fs::write(file, text).map_err(|error| {
            Trouble::new(ExitCode::OwnFault, format!("cannot write the report to {}: {error}", file.display()))
        })
    }

    /// Writes those once more that state the exit code. What could not be written may fail again: that is told already.
    fn own_up(&self, report: &mut RunReport) {
        report.ended = Some(ExitCode::OwnFault as u8);
        for file in self.files.iter().filter(|(kind, ..)| matches!(kind, Kind::Json | Kind::Sarif)) {
            let _ = self.write_file(file, report);
        }
    }
}

fn made(kind: Kind, format: &dyn Format, report: &RunReport, lang: &Lang) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    // Data stays in English: it is translated where it is shown.
    let translated = (kind != Kind::Json).then(|| lang.report(report));
    let report = translated.as_ref().unwrap_or(report);
    format.write(report, lang, &mut bytes).map_err(|error| {
        Trouble::new(ExitCode::OwnFault, format!("cannot make the report as {}: {error}", kind.name()))
    })?;
    Ok(String::from_utf8(bytes).expect("reports are text"))
}

/// Leaves a file that is there as it is, and none where none was: an empty report could be taken for one.
fn try_to_write(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    if file.exists() {
        OpenOptions::new().append(true).open(file)?;
    } else {
        OpenOptions::new().write(true).create_new(true).open(file)?;
        fs::remove_file(file)?;
    }
    Ok(())
}
