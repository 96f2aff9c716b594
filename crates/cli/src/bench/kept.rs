//! What a server that was started here keeps of its streams, as it says itself: windows and recordings; and clips of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::stamp::now;
use crate::incoming::http;
use crate::line::Trust;

/// How long a server may be behind a publisher that sends faster than its time.
const BEHIND_MAX: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// A place that no stream comes to: who asks for it begins at the newest keyframe.
const BEYOND_S: u32 = 100_000_000;

/// What is on the disk, and what is missing there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    pub(super) window_disk_bytes: u64,
    pub(super) recordings_bytes: u64,
    /// Frames that are missing in windows.
    pub(super) window_lost_frames: u64,
    /// Parts that are missing in recordings.
    pub(super) recording_lost_parts: u64,
}

/// A clip that was fetched.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Clip {
    pub(super) seconds: u32,
    pub(super) bytes: u64,
    /// From the request to the last byte.
    pub(super) ms: f64,
}

impl Kept {
    /// Of a server at `http` with this data directory.
    pub(super) async fn now(server: &str, data: &Path) -> anyhow::Result<Self> {
        let metrics = fetched(&format!("{server}/metrics")).await?;
        let metrics = String::from_utf8_lossy(&metrics);
        let number = |name: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            window_disk_bytes: number("headwater_window_disk_bytes"),
            recordings_bytes: bytes_below(&data.join("recordings")),
            window_lost_frames: number("headwater_window_lost_frames_total"),
            recording_lost_parts: number("headwater_recording_lost_parts_total"),
        })
    }

    /// What has come since.
    pub(super) const fn since(self, before: Self) -> Self {
        Self {
            window_disk_bytes: self.window_disk_bytes.saturating_sub(before.window_disk_bytes),
            recordings_bytes: self.recordings_bytes.saturating_sub(before.recordings_bytes),
            window_lost_frames: self.window_lost_frames.saturating_sub(before.window_lost_frames),
            recording_lost_parts: self.recording_lost_parts.saturating_sub(before.recording_lost_parts),
        }
    }
}

/// Waits until the newest keyframe that a stream's window has is none before `ms`; `description` is the stream's address
/// at the API.
pub(super) async fn until(description: &str, ms: i64) -> anyhow::Result<()> {
    let newest = format!("{description}?start={BEYOND_S}");
    let end = Instant::now() + BEHIND_MAX;
    loop {
        // At first it may not be known yet.
        let stream = fetched(&newest).await.unwrap_or_default();
        let stream: Value = serde_json::from_slice(&stream).unwrap_or_default();
        if stream["window"]["start_ms"].as_i64().is_some_and(|key| key >= ms) {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("{description}: after {} s its window does not reach {ms} ms", BEHIND_MAX.as_secs());
        }
        sleep(ASK_AGAIN).await;
    }
}

/// Fetches so many seconds of the middle of a stream's past.
pub(super) async fn clip(server: &str, stream: &str, past: u32, seconds: u32) -> anyhow::Result<Clip> {
    let from = past.saturating_sub(seconds) / 2;
    let until = from + seconds;
    let began = now();
    let clip = fetched(&format!("{server}/api/v1/clips/{stream}?from={from}&until={until}")).await?;
    Ok(Clip { seconds, bytes: clip.len() as u64, ms: (now() - began) as f64 / 1e6 })
}

async fn fetched(url: &str) -> anyhow::Result<Vec<u8>> {
    let body = http::get(url, &Trust::default()).await?;
    let body = body.collect().await.with_context(|| format!("{url} broke off"))?;
    Ok(body.to_bytes().into())
}

fn bytes_below(directory: &Path) -> u64 {
    let Ok(listing) = fs::read_dir(directory) else { return 0 };
    let sizes = listing.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
