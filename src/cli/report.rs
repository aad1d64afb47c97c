//! `--report FORMAT[=PATH]`: which reports a run is to write, and where.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{Trouble, out};
use crate::{
    lang::Lang,
    report::{Format, Kind, verdict_line},
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

/// The reports of a run.
pub struct Reports {
    stdout: (Kind, Box<dyn Format>),
    files: Vec<(Kind, PathBuf, Box<dyn Format>)>,
}

impl Reports {
    /// Looks whether all can be written, before a run is spent on them. Missing folders are made.
    pub fn new(wanted: &[Wanted]) -> Result<Reports, Trouble> {
        let mut stdout = None;
        let mut files: Vec<(Kind, PathBuf, Box<dyn Format>)> = Vec::new();
        for Wanted { kind, file } in wanted {
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
        Ok(Reports { stdout, files })
    }

    /// Writes them all, standard output last.
    pub fn write(&self, report: &RunReport, lang: &Lang) -> Result<(), Trouble> {
        for (kind, file, format) in &self.files {
            let text = made(*kind, &**format, report, lang)?;
            let text = if *kind == Kind::Terminal { anstream::adapter::strip_str(&text).to_string() } else { text };
            fs::write(file, text).map_err(|error| {
                Trouble::new(ExitCode::OwnFault, format!("cannot write the report to {}: {error}", file.display()))
            })?;
        }
        let (kind, format) = &self.stdout;
        out::print(&made(*kind, &**format, report, lang)?)?;
        if *kind != Kind::Terminal {
            anstream::eprintln!("{}", verdict_line(report, lang));
        }
        Ok(())
    }
}

fn made(kind: Kind, format: &dyn Format, report: &RunReport, lang: &Lang) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
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
