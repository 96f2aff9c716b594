//! What commands print on standard output.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// Prints a text. Whoever has stopped reading, as `head` does, has what it wanted.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
