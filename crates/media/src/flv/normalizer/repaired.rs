//! How often a publisher's messages had to be repaired, for operators and `probe`.

/// How often the normalizer had to repair what was sent, and what it dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repaired {
    /// Messages that carry nothing: no bytes, an empty configuration, player commands.
    pub empty: u64,
    /// Configurations, colour information and channel layouts that were sent again unchanged.
    pub repeated_configs: u64,
    /// Configurations made from what stands inside frames (parameter sets, ADTS), or repaired.
    pub synthesised_configs: u64,
    /// AAC configurations that no one sent, guessed from the times and first bits of the frames.
    pub guessed_configs: u64,
    /// Frames that were flagged as key frames and are none, or are one and were not flagged.
    pub key_flags: u64,
    /// Video messages rewritten from Annex B start codes, in whole or in part.
    pub annex_b: u64,
    /// Video messages whose NAL lengths had another size than their configuration says.
    pub other_lengths: u64,
    /// Messages that went on with a picture of a message before (a slice each), or stood before it, and were put
    /// together with it.
    pub joined_messages: u64,
    /// NAL units that say nothing (access unit delimiters, filler), taken out.
    pub idle_units: u64,
    /// Sound frames whose ADTS header was taken off.
    pub adts: u64,
    /// Messages with several frames of sound, taken apart.
    pub several_frames: u64,
    /// Messages with zeros behind the last NAL unit, taken off.
    pub padded: u64,
    /// Messages without the composition time that their type promises (early OBS with H.265).
    pub timeless: u64,
    /// Messages dropped because NAL lengths run past their end (some DJI drones).
    pub damaged: u64,
    /// Frames dropped because nothing had yet told how to decode them.
    pub unannounced: u64,
    /// Messages with several tracks of which some could not be used; the others could.
    pub partly_used: u64,
    /// Data messages dropped because they hold no AMF0 name (the time codes of ffmpeg).
    pub bad_data: u64,
    /// Timestamps that lay up to 3 s before their predecessor and were moved behind it.
    pub clamped_timestamps: u64,
    /// Times that a track's clock started over.
    pub restarted_clocks: u64,
}

/// Why a frame goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Nothing is in it.
    Empty,
    /// Its NAL units cannot be found.
    Damaged,
    /// Nobody has told how to decode it.
    Unannounced,
}

impl Repaired {
    pub(super) const fn count(&mut self, dropped: Dropped) {
        match dropped {
            Dropped::Empty => self.empty += 1,
            Dropped::Damaged => self.damaged += 1,
            Dropped::Unannounced => self.unannounced += 1,
        }
    }
}
