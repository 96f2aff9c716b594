//! Other people's programs, run in bounded time and ended by their process id.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Program {
    /// Starts it; what it prints goes to `log`.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let name = format!("{command:?}");
        let out = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { child, name, log }
    }

    /// Waits for its end; `None` if it runs on.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end by itself.
    pub(crate) fn finish(&mut self, within: Duration) -> ExitStatus {
        self.wait(within).unwrap_or_else(|| panic!("no end after {within:?}: {}", self.describe()))
    }

    /// Asks it to end (`INT` or `TERM`); a program that stays is killed.
    pub(crate) fn interrupt(&mut self, signal: &str) -> Option<ExitStatus> {
        if let Some(status) = self.child.try_wait().unwrap() {
            return Some(status);
        }
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        let status = self.wait(Duration::from_secs(5));
        if status.is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        status
    }

    /// What it printed.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its command line and its last words.
    pub(crate) fn describe(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        format!("{}\n{}", self.name, lines[lines.len().saturating_sub(15)..].join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the program is there; a missing one is told, or fails where clients are required.
pub(crate) fn installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    let required = std::env::var("HEADWATER_CLIENTS").is_ok_and(|value| value == "require");
    assert!(!required, "{program} is missing: apt-get install {package}");
    println!("SKIPPED: {program} is missing: apt-get install {package}");
    false
}
