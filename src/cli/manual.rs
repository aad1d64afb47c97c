//! `siospec completions` and `siospec man`: made from the same definitions as `--help`.

use std::{io, path::PathBuf};

use clap::Args;
use clap_complete::Shell;

use super::{Ended, Trouble, command, out};
use crate::verdict::ExitCode;

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub fn completions(args: &CompletionsArgs) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "siospec", &mut script);
    print(&script)
}

#[derive(Args)]
pub struct ManArgs {
    /// A folder to write a page for each command to; without one, the first page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub fn man(args: &ManArgs) -> Ended {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command()).render(&mut page).map_err(|error| cannot_write("the page", &error))?;
        return print(&page);
    };
    let shown = folder.display().to_string();
    std::fs::create_dir_all(folder).map_err(|error| cannot_write(&shown, &error))?;
    clap_mangen::generate_to(command(), folder).map_err(|error| cannot_write(&shown, &error))?;
    out::print(&format!("wrote the pages to {shown}\n"))?;
    Ok(ExitCode::Conforms.into())
}

fn cannot_write(what: &str, error: &io::Error) -> Trouble {
    Trouble::mistake(format!("cannot write {what}: {error}"))
}

fn print(bytes: &[u8]) -> Ended {
    out::print(&String::from_utf8_lossy(bytes))?;
    Ok(ExitCode::Conforms.into())
}
