//! The binary `headwater`.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater::cli::run()
}
