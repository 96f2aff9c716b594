//! The section `[streams]`: how live streams are kept and handed out.

use std::time::Duration;

use headwater_hub::{HubConfig, LogConfig, Start, Takeover};
use headwater_media::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fanout::Gathering;
use crate::sources::Viewing;

/// How live streams are kept and handed out; the section `[streams]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Streams {
    pub(super) gop_cache: bool,
    #[serde(alias = "log_bytes_max")]
    pub(super) log_max_bytes: usize,
    #[serde(alias = "lag_ms_max")]
    pub(super) lag_max_ms: u64,
    pub(super) wait_ms: u64,
    pub(super) reconnect_window_ms: u64,
    pub(super) takeover: TakeoverRule,
    pub(super) takeover_silence_ms: u64,
    #[serde(alias = "gather_ms_min")]
    pub(super) gather_min_ms: u64,
    #[serde(alias = "gather_ms_max")]
    pub(super) gather_max_ms: u64,
    pub(super) streams_max: usize,
    pub(super) viewers_per_stream_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TakeoverRule {
    Never,
    Silent,
    Always,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            gop_cache: true,
            log_max_bytes: 64 << 20,
            lag_max_ms: 6_000,
            wait_ms: 60_000,
            reconnect_window_ms: 30_000,
            takeover: TakeoverRule::Silent,
            takeover_silence_ms: 5_000,
            gather_min_ms: 0,
            gather_max_ms: 100,
            streams_max: 10_000,
            viewers_per_stream_max: 100_000,
        }
    }
}

impl Streams {
    /// Says what cannot be.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.gather_max_ms < self.gather_min_ms {
            anyhow::bail!("[streams] gather_max_ms is smaller than gather_min_ms; make it at least as large");
        }
        Ok(())
    }

    /// What the hub is told.
    pub(crate) fn hub(&self, lanes: usize) -> HubConfig {
        HubConfig {
            log: LogConfig { bytes_max: self.log_max_bytes, lag_kept: media_ms(self.lag_max_ms) },
            takeover: match self.takeover {
                TakeoverRule::Never => Takeover::Never,
                TakeoverRule::Silent => {
                    Takeover::WhenSilentFor(Duration::from_millis(self.takeover_silence_ms))
                }
                TakeoverRule::Always => Takeover::Always,
            },
            reconnect_window: Duration::from_millis(self.reconnect_window_ms),
            streams_max: self.streams_max,
            viewers_per_stream_max: self.viewers_per_stream_max,
            lanes,
            ..HubConfig::default()
        }
    }

    /// How a viewer is served.
    pub(crate) fn viewing(&self) -> Viewing {
        Viewing {
            start: if self.gop_cache { Start::NewestKeyframe } else { Start::NextKeyframe },
            lag_max: media_ms(self.lag_max_ms),
            wait: Duration::from_millis(self.wait_ms),
        }
    }

    /// How long frames may gather before they are written.
    pub(crate) fn gathering(&self) -> Gathering {
        let min = Duration::from_millis(self.gather_min_ms);
        Gathering { min, max: Duration::from_millis(self.gather_max_ms).max(min) }
    }
}

fn media_ms(ms: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
