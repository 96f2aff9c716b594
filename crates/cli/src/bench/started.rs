//! A server that was started for the measurement: its process, its directory, and what it says.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::cost;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(20);
/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether it has stopped.
const STOP_LOOK: Duration = Duration::from_millis(5);
/// What it says on standard error, in its directory.
const LOG: &str = "bench.log";
/// Lines of that which are told of a server that does not start.
const LINES_MAX: usize = 5;

/// A process with a directory of its own. Both go with it, also by a signal that comes before the server is ready: who
/// drops it waits for the end of the process.
#[derive(Debug)]
pub(super) struct Started {
    // First: what writes there has ended before the directory goes.
    child: Ending,
    scratch: Scratch,
}

/// A process that is ended, and waited for, when this is dropped.
#[derive(Debug)]
struct Ending(Child);

/// A directory in `TMPDIR`, removed with this.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// For a server of that label; no two share one.
    pub(super) fn new(label: &str) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("headwater-bench-{}-{number}-{label}", std::process::id());
        let path = std::env::temp_dir().join(name);
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

impl Ending {
    /// Whether it has ended within that time.
    fn is_over(&mut self, within: Duration) -> bool {
        let end = Instant::now() + within;
        loop {
            match self.0.try_wait() {
                Ok(None) if Instant::now() < end => std::thread::sleep(STOP_LOOK),
                Ok(None) => return false,
                // An error: it is no child of ours any more.
                Ok(Some(_)) | Err(_) => return true,
            }
        }
    }
}

impl Drop for Ending {
    /// Waits: nothing is measured any more.
    fn drop(&mut self) {
        // nginx has its worker end with it only if it is asked to.
        ask_to_end(&mut self.0);
        if !self.is_over(STOP_MAX) && self.0.start_kill().is_ok() {
            self.is_over(STOP_MAX);
        }
    }
}

impl Started {
    /// Runs it, on one processor if that is wanted.
    pub(super) fn spawn(command: &mut Command, scratch: Scratch, cpu: Option<usize>) -> anyhow::Result<Self> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let log = File::create(scratch.0.join(LOG)).context("its log cannot be written")?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let started = Self { child: Ending(child), scratch };
        if let Some((cpu, pid)) = cpu.zip(started.pid()) {
            cost::keep_on(cpu, pid)?;
        }
        Ok(started)
    }

    /// Asks it to end, and waits for nothing.
    pub(super) fn ask_to_end(&mut self) {
        ask_to_end(&mut self.child.0);
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.0.id()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.scratch.0
    }

    /// The addresses that a server of ours prints when it is ready: `Ready: rtmp://… http://…`.
    pub(super) async fn ready(&mut self) -> anyhow::Result<(String, String)> {
        let output = self.child.0.stdout.take().context("it has no output")?;
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
            _ = self.child.0.wait() => "it has ended",
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
}

#[cfg(unix)]
#[expect(clippy::needless_pass_by_ref_mut, reason = "where there is no asking, it is needed")]
fn ask_to_end(child: &mut Child) {
    let pid = child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(child: &mut Child) {
    // There is no asking. It may have ended by itself.
    let _ = child.start_kill();
}
