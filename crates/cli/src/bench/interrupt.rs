//! Signals that end a measurement: what it has started ends before it does.

use anyhow::bail;
use tokio::sync::watch;

/// Whether a measurement is to end; true once.
#[derive(Debug)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Heeds SIGINT and, on Unix, SIGTERM from now on; on Linux SIGHUP (a terminal that is closed) too, unless it is ignored.
    ///
    /// # Errors
    /// The system gives no signals.
    pub(super) fn heed() -> anyhow::Result<Self> {
        let (tell, told) = watch::channel(false);
        let signal = signal()?;
        tokio::spawn(async move {
            signal.await;
            tell.send_replace(true);
        });
        Ok(Self(told))
    }

    /// Does the work, on whatever thread, unless a signal comes before its end.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut told = self.0.clone();
        tokio::select! {
            done = work => done,
            _ = told.wait_for(|told| *told) => bail!("ended by a signal, with the servers that it had started"),
        }
    }
}

#[cfg(unix)]
fn signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = (!hangup_is_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            Some(_) = async { hung_up.as_mut()?.recv().await } => {}
        }
    })
}

/// Whether SIGHUP was ignored when the program began, as `nohup` has it, or nobody can tell.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|signals| u64::from_str_radix(signals.trim(), 16).ok());
    // It is the first of the signals.
    ignored.is_none_or(|signals| signals & 1 != 0)
}

#[cfg(not(unix))]
fn signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        // Where the system gives none, none comes.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
