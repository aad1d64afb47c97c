//! Standard output.

use std::io::{self, Write};

use super::Trouble;
use crate::verdict::ExitCode;

/// Prints a text, without its styles where they are not wanted (no terminal, `NO_COLOR`).
///
/// A reader that has seen enough, such as `head`, is no error.
pub fn print(text: &str) -> Result<(), Trouble> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::new(ExitCode::OwnFault, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
