//! `serve`, `demo` and `check`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use headwater_server::{Config, Origin, Overrides};

use super::output;

/// File descriptors to ask the system for; each connection takes one.
const DESCRIPTORS_WANTED: u64 = 65_536;

/// Run the server.
///
/// Without a configuration file built-in defaults hold, and the server prints where to publish and where to
/// watch. Flags win over environment variables, both win over the file.
///
/// Example: headwater serve --rtmp 0.0.0.0:1935 --http 0.0.0.0:8080 --data /var/lib/headwater
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Configuration file (TOML). Without one, built-in defaults hold.
    #[arg(short, long, value_name = "FILE", env = "HEADWATER_CONFIG")]
    config: Option<PathBuf>,
    /// Listen for RTMP here: PORT, ADDRESS:PORT or NAME:PORT, as in 1935, 127.0.0.1:1935 or localhost:1935. Port 0
    /// takes any free port and prints it. Without it: every address of this machine, port 1935.
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_RTMP", value_parser = headwater_server::parse_listen_address)]
    rtmp: Option<SocketAddr>,
    /// Listen for HTTP here. Without it: every address of this machine, port 8080.
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_HTTP", value_parser = headwater_server::parse_listen_address)]
    http: Option<SocketAddr>,
    /// Listen for RTMPS here, once a certificate is configured. Without it: every address, port 1936.
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_RTMPS", value_parser = headwater_server::parse_listen_address)]
    rtmps: Option<SocketAddr>,
    /// Listen for HTTPS here, once a certificate is configured. Without it: every address, port 8443.
    #[arg(long, value_name = "ADDRESS", env = "HEADWATER_HTTPS", value_parser = headwater_server::parse_listen_address)]
    https: Option<SocketAddr>,
    /// What the server writes goes here. Without it: headwater-data.
    #[arg(long, value_name = "DIR", env = "HEADWATER_DATA")]
    data: Option<PathBuf>,
    /// The films are here. Without it: media.
    #[arg(long, value_name = "DIR", env = "HEADWATER_MEDIA")]
    media: Option<PathBuf>,
}

/// Run the server with a built-in test picture as live/demo.
///
/// The quickest way to see that everything works: open the address that it prints.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    #[command(flatten)]
    pub(super) server: Arguments,
}

/// Check a configuration file and say exactly what is wrong and where.
///
/// To begin with one: headwater check --print-default > headwater.toml
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The configuration file, as with --config; this one counts where both are named.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", env = "HEADWATER_CONFIG", default_value = "headwater.toml")]
    config: PathBuf,
    /// Where the server keeps what it writes; its secrets are checked too. Without it: headwater-data.
    #[arg(long, value_name = "DIR", env = "HEADWATER_DATA")]
    data: Option<PathBuf>,
    /// Print a configuration file with every key at its default and what it means, and check nothing.
    #[arg(long, conflicts_with_all = ["file", "config", "data"])]
    print_default: bool,
}

/// Runs the server until SIGINT or SIGTERM; SIGHUP has it read its configuration file again.
pub(super) async fn run(arguments: Arguments, with_demo: bool) -> anyhow::Result<()> {
    let overrides = Overrides {
        rtmp: arguments.rtmp,
        http: arguments.http,
        rtmps: arguments.rtmps,
        https: arguments.https,
        data: arguments.data,
        media: arguments.media,
        publish_key: secret("HEADWATER_PUBLISH_KEY")?,
        admin_token: secret("HEADWATER_ADMIN_TOKEN")?,
    };
    let origin = Origin { file: arguments.config, overrides };
    // The server looks at what there is, and says where it is less than connections_max needs.
    if let Err(error) = rlimit::increase_nofile_limit(DESCRIPTORS_WANTED) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    headwater_server::run(origin, with_demo).await
}

/// Says whether a configuration is valid.
pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<()> {
    if arguments.print_default {
        return output::print(&Config::sample());
    }
    let overrides = Overrides {
        data: arguments.data.clone(),
        publish_key: secret("HEADWATER_PUBLISH_KEY")?,
        admin_token: secret("HEADWATER_ADMIN_TOKEN")?,
        ..Overrides::default()
    };
    let file = arguments.file.as_ref().unwrap_or(&arguments.config);
    let config = Config::load(Some(file), overrides).map_err(|error| with_hint(error, file))?;
    let mut text = format!("{} is valid\n", file.display());
    for note in config.check_files()? {
        text += &format!("  but note: {note}\n");
    }
    output::print(&text)
}

/// Who has no file yet is told how to begin one.
fn with_hint(error: anyhow::Error, file: &Path) -> anyhow::Error {
    if file.exists() {
        return error;
    }
    anyhow::anyhow!("{error:#}. `headwater check --print-default > headwater.toml` writes one to begin with")
}

/// A secret of the environment. There is no flag for it: every user of the machine can read those.
fn secret(variable: &str) -> anyhow::Result<Option<String>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            anyhow::bail!(
                "{variable} is not UTF-8; give it at least 8 letters or digits, or unset the variable"
            )
        }
    }
}
