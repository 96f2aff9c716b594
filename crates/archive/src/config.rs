//! The section `[window]` of the configuration.

use headwater_media::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::ArchiveConfig;
use crate::parts::PartsConfig;
use crate::window::WindowConfig;

/// What is kept of live streams beyond the hub's log; the section `[window]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether anything is.
    pub enabled: bool,
    /// How much of each stream, in seconds of its time.
    pub length_seconds: u32,
    /// Memory of one stream's window, in bytes.
    pub memory_max_bytes: usize,
    /// Memory of all windows together, in bytes.
    pub memory_in_all_max_bytes: usize,
    /// Bytes of one stream's window, once older parts of it are on the disk; 0: memory alone.
    pub disk_max_bytes: u64,
    /// The same of all windows together.
    pub disk_in_all_max_bytes: u64,
    /// How long a part is at most, in milliseconds, 100 to 1000. A third of a second holds whole frames of all usual
    /// rates, nearly to the full.
    pub part_ms: u32,
    /// A segment ends at the first key frame after so many milliseconds, 1000 to 5000.
    pub segment_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            length_seconds: 300,
            memory_max_bytes: 64 << 20,
            memory_in_all_max_bytes: 512 << 20,
            disk_max_bytes: 4 << 30,
            disk_in_all_max_bytes: 32 << 30,
            part_ms: 335,
            segment_ms: 2_000,
        }
    }
}

impl Config {
    /// Whether all values can be.
    ///
    /// # Errors
    /// A sentence that names the key and its range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [("part_ms", self.part_ms, 100..=1_000), ("segment_ms", self.segment_ms, 1_000..=5_000)];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                let (least, most) = (range.start(), range.end());
                return Err(format!("[window] {key} is {value}; give {least} to {most}"));
            }
        }
        Ok(())
    }

    /// What the archive is told.
    #[must_use]
    pub fn archive(&self) -> ArchiveConfig {
        ArchiveConfig {
            parts: PartsConfig {
                part_target: Timestamp::from_ms(self.part_ms.into()),
                segment_target: Timestamp::from_ms(self.segment_ms.into()),
            },
            window: WindowConfig {
                is_shown: self.enabled,
                // Who only records needs no more than the segment at hand.
                length: Timestamp::from_ms(if self.enabled {
                    i64::from(self.length_seconds) * 1_000
                } else {
                    0
                }),
                memory_max: self.memory_max_bytes,
                memory_in_all_max: self.memory_in_all_max_bytes,
                disk_max: self.disk_max_bytes,
                disk_in_all_max: self.disk_in_all_max_bytes,
            },
        }
    }
}
