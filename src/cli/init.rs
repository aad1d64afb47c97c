//! `siospec init`.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::PathBuf,
};

use clap::Args;

use super::{Ended, Trouble, out};
use crate::{contract, verdict::ExitCode};

#[derive(Args)]
pub struct InitArgs {
    /// The file to write
    #[arg(default_value = contract::FILE_NAME)]
    file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

pub fn init(args: &InitArgs) -> Ended {
    let shown = args.file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(&args.file).and_then(|mut file| file.write_all(contract::commented_file().as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Trouble::mistake(format!("{shown} exists already; --force replaces it")));
        }
        Err(error) => return Err(Trouble::mistake(format!("cannot write {shown}: {error}"))),
    }
    out::print(&format!("wrote {shown}: uncomment what differs in your deployment\n"))?;
    Ok(ExitCode::Conforms.into())
}
