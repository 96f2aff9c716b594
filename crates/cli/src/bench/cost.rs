//! What a process costs, with those that it has started: processor time and memory, as Linux tells them.

use std::fs;
use std::time::Duration;

/// Processor time since the start, and memory now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    /// Resident.
    pub(super) bytes: u64,
}

impl Cost {
    /// Of a process and its descendants; none where the system does not tell.
    pub(super) fn of(pid: Option<u32>) -> Option<Self> {
        let pid = pid?;
        let mut cost = Self { cpu: cpu(pid)?, bytes: resident(pid)? };
        for child in children(pid) {
            if let Some(child) = Self::of(Some(child)) {
                cost.cpu += child.cpu;
                cost.bytes += child.bytes;
            }
        }
        Some(cost)
    }
}

/// How long this thread has run or waited for a processor; none where the system does not tell.
pub(super) fn busy() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut nanos = text.split_whitespace().map_while(|nanos| nanos.parse::<u64>().ok());
    Some(Duration::from_nanos(nanos.next()? + nanos.next()?))
}

/// To the nanosecond, of the threads that live: `stat` counts in hundredths of a second.
fn cpu(pid: u32) -> Option<Duration> {
    let mut nanos = 0_u64;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may have ended by now.
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        nanos += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0);
    }
    Some(Duration::from_nanos(nanos))
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kb| kb << 10)
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Keeps a process on one processor.
#[cfg(target_os = "linux")]
pub(super) fn keep_on(cpu: usize, pid: u32) -> anyhow::Result<()> {
    let only = |set: &mut rustix::thread::CpuSet| set.set(cpu);
    place(i32::try_from(pid)?, only)
}

/// Keeps this program off a processor.
#[cfg(target_os = "linux")]
pub(super) fn keep_off(cpu: usize) -> anyhow::Result<()> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    anyhow::ensure!(processors > 1, "--cpu: there is no other processor for the players");
    let others =
        |set: &mut rustix::thread::CpuSet| (0..processors).filter(|&n| n != cpu).for_each(|n| set.set(n));
    for thread in fs::read_dir("/proc/self/task")?.flatten() {
        if let Some(id) = thread.file_name().to_str().and_then(|id| id.parse().ok()) {
            place(id, others)?;
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn place(id: i32, fill: impl Fn(&mut rustix::thread::CpuSet)) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    fill(&mut set);
    rustix::thread::sched_setaffinity(rustix::thread::Pid::from_raw(id), &set)
        .map_err(|error| anyhow::anyhow!("--cpu: {error}"))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_on(_: usize, _: u32) -> anyhow::Result<()> {
    anyhow::bail!("--cpu works on Linux only")
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_off(_: usize) -> anyhow::Result<()> {
    anyhow::bail!("--cpu works on Linux only")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_process_has_a_cost_and_nobody_has_none() {
        // The system reckons at its next tick.
        let end = Instant::now() + Duration::from_secs(10);
        while busy().unwrap() == Duration::ZERO {
            assert!(Instant::now() < end, "it has run for seconds, and that is not told");
        }
        let own = Cost::of(Some(std::process::id())).unwrap();
        assert!(own.cpu > Duration::ZERO && own.bytes > 1 << 20);
        assert_eq!(Cost::of(None), None);
        assert_eq!(Cost::of(Some(u32::MAX)), None);
    }
}
