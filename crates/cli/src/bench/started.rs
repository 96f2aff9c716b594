//! A server that was started for the measurement: its process, its directory, and what it says.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::cost;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_secs(5);
/// What it says on standard error, in its directory.
const LOG: &str = "bench.log";
/// Lines of that which are told of a server that does not start.
const LINES_MAX: usize = 5;

/// A process with a directory of its own. Both go with it.
#[derive(Debug)]
pub(super) struct Started {
    // First: what writes there ends before the directory goes.
    child: Child,
    scratch: Scratch,
}

/// A directory in `TMPDIR`, removed with this.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// For the server of that label.
    pub(super) fn new(label: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("headwater-bench-{}-{label}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a file there.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.0.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Started {
    /// Runs it, on one processor if that is wanted.
    pub(super) fn spawn(command: &mut Command, scratch: Scratch, cpu: Option<usize>) -> anyhow::Result<Self> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let log = File::create(scratch.0.join(LOG)).context("its log cannot be written")?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        if let Some((cpu, pid)) = cpu.zip(child.id()) {
            cost::keep_on(cpu, pid)?;
        }
        Ok(Self { child, scratch })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.scratch.0
    }

    /// The addresses that a server of ours prints when it is ready: `Ready: rtmp://… http://…`.
    pub(super) async fn ready(&mut self) -> anyhow::Result<(String, String)> {
        let output = self.child.stdout.take().context("it has no output")?;
        let mut lines = BufReader::new(output).lines();
        let wait = async {
            while let Some(line) = lines.next_line().await? {
                let Some(addresses) = line.strip_prefix("Ready: ") else { continue };
                let mut addresses =
                    addresses.split_whitespace().map(|url| url.trim_end_matches('/').to_owned());
                let (Some(rtmp), Some(http)) = (addresses.next(), addresses.next()) else { break };
                // What it prints later must go somewhere.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok((rtmp, http));
            }
            Err(self.failure("it has ended"))
        };
        tokio::time::timeout(START_MAX, wait).await.map_err(|_| self.failure("it does not get ready"))?
    }

    /// Waits until it listens on a port.
    pub(super) async fn listens(&mut self, port: u16) -> anyhow::Result<()> {
        let connects = async {
            while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let why = tokio::select! {
            () = connects => return Ok(()),
            _ = self.child.wait() => "it has ended",
            () = tokio::time::sleep(START_MAX) => "it does not get ready",
        };
        Err(self.failure(why))
    }

    /// What is wrong with it, and what it said last.
    fn failure(&self, what: &str) -> anyhow::Error {
        let log = std::fs::read(self.scratch.0.join(LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().rev().take(LINES_MAX).collect();
        if lines.is_empty() {
            return anyhow!("{what}, and has said nothing");
        }
        let lines: String = lines.iter().rev().map(|line| format!("\n  {line}")).collect();
        anyhow!("{what}; the last that it has said:{lines}")
    }

    /// Stops it.
    pub(super) async fn stop(mut self) {
        // nginx has its worker end with it only if it is asked to.
        ask_to_end(&self.child);
        if tokio::time::timeout(STOP_MAX, self.child.wait()).await.is_err() {
            // What has ended by itself meanwhile needs no end.
            let _ = self.child.kill().await;
        }
    }
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}
