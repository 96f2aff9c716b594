//! `headwater man` and `headwater completions`: made of what the program knows of its own commands.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};

use super::output;

/// Write the manual pages into a directory.
///
/// Example: headwater man /usr/local/share/man/man1
#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// The directory; it is made where it is missing.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Print completions for a shell.
///
/// Example: headwater completions bash > /etc/bash_completion.d/headwater
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    shell: clap_complete::Shell,
}

/// Writes a page for the program and one for each command.
pub(super) fn man(program: Command, arguments: &ManArguments) -> anyhow::Result<()> {
    let directory = &arguments.directory;
    let cannot = || format!("cannot write the manual pages to {}", directory.display());
    std::fs::create_dir_all(directory).with_context(cannot)?;
    clap_mangen::generate_to(program, directory).with_context(cannot)
}

/// Prints the completions.
pub(super) fn completions(mut program: Command, arguments: &CompletionsArguments) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "headwater", &mut text);
    output::print(&String::from_utf8_lossy(&text))
}
