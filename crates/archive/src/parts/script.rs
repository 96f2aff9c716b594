//! Script data as parts: each message is complete as it comes. What is said before the first picture or sound has no file yet;
//! it is held, and follows the first part at the time of the first frame.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use headwater_media::mp4::{SCRIPT_TIMESCALE, Sample, script_message};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

use super::PartMaker;
use crate::part::{Init, Part, PartSample};

/// Messages that are held: encoders say a handful of things before they begin.
const HELD_MAX: usize = 64;
/// And their bytes: four KiB for each, which is more than encoders say of all of themselves.
const HELD_BYTES_MAX: usize = 256 << 10;

/// What there was of script data.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// What describes it, once some has come, and how many messages there were.
    init: Option<(Arc<Init>, u32)>,
    /// Messages with their numbers in the hub's log, from before the first part.
    held: VecDeque<(u64, Frame)>,
}

impl Script {
    /// The number of the first message that is held.
    pub(super) fn first_held(&self) -> Option<u64> {
        self.held.front().map(|(sequence, _)| *sequence)
    }

    fn has_room_for(&self, frame: &Frame) -> bool {
        let bytes: usize = self.held.iter().map(|(_, frame)| frame.payload.len()).sum();
        self.held.len() < HELD_MAX && bytes + frame.payload.len() <= HELD_BYTES_MAX
    }
}

impl PartMaker {
    /// Takes a message.
    pub(super) fn put_script(&mut self, sequence: u64, frame: &Frame) {
        if self.ordinal > 0 {
            self.taken_to = sequence + 1;
            self.say(sequence, frame);
        } else if self.script.has_room_for(frame) {
            self.script.held.push_back((sequence, frame.clone()));
        } else {
            self.left_out.add("script data before the first frame, beyond what is held", 1);
        }
    }

    /// The first part has been made, of a broadcast that begins at `at`: what was held follows it.
    pub(super) fn put_held_script(&mut self, at: Timestamp) {
        while let Some((sequence, mut frame)) = self.script.held.pop_front() {
            frame.dts = frame.dts.max(at);
            frame.pts = frame.dts;
            self.say(sequence, &frame);
        }
    }

    fn say(&mut self, sequence: u64, frame: &Frame) {
        let (init, count) = self.script.init.get_or_insert_with(|| (script_init(), 0));
        *count = count.wrapping_add(1);
        let (init, bytes) = (Arc::clone(init), script_message(*count, frame));
        let payload_at = (bytes.len() - frame.payload.len()) as u32;
        let sample = Sample { duration: 0, composition: 0, key: true, len: frame.payload.len() as u32 };
        let part = Part {
            ordinal: 0,
            init,
            segment: self.segments.current(),
            number: 0,
            start: frame.dts.to_ticks(SCRIPT_TIMESCALE),
            duration: 0,
            independent: true,
            discontinuity: false,
            len: bytes.len() as u32,
            samples: [PartSample { sample, sequence }].into(),
            payload_at,
            target: self.config.part_target,
            complete_to: 0,
        };
        self.add(part, bytes);
    }
}

fn script_init() -> Arc<Init> {
    Arc::new(Init {
        rendition: TrackId::DATA,
        number: 1,
        track: Track::new(TrackId::DATA, Codec::Script, Bytes::new()),
        key_frame: Bytes::new(),
        track_number: 0,
        timescale: SCRIPT_TIMESCALE,
        bytes: Bytes::new(),
    })
}
