//! When a publisher's frames are due: one clock for all its tracks.

use bytes::Bytes;

use super::repaired::Repaired;
use crate::flv::tag::CodedFrame;
use crate::flv::timeline::{SteadyTimeline, Step, TimelinePosition, TimestampUnwrap, TrackTime};
use crate::{Codec, Frame, Timestamp, TrackId};

/// The clock of one publisher, made endless and steady.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    unwrap: TimestampUnwrap,
    steady: SteadyTimeline,
    data_last_ms: Option<i64>,
}

impl Clock {
    /// Gives a regular frame its times.
    pub(super) fn frame(
        &mut self,
        track: &mut TrackTime,
        timestamp_ms: u32,
        coded: CodedFrame,
        repaired: &mut Repaired,
    ) -> Frame {
        let TimelinePosition { dts_ms, delay_ms, step } =
            self.steady.place(track, self.unwrap.extend(timestamp_ms));
        match step {
            Step::Regular => {}
            Step::Clamped => repaired.clamped_timestamps += 1,
            Step::Restarted => repaired.restarted_clocks += 1,
        }
        // A picture that was moved in decoding order is still to be shown when its sender meant it to be.
        let composition = i64::from(coded.composition_ms);
        let composition =
            if delay_ms == 0 { composition } else { composition.saturating_sub(delay_ms).max(0) };
        let pts = Timestamp::from_ms(dts_ms.saturating_add(composition));
        Frame {
            track: coded.track,
            codec: coded.codec,
            dts: Timestamp::from_ms(dts_ms),
            pts: pts + Timestamp::from_nanos(coded.nanos.into()),
            key: coded.key.unwrap_or(false),
            payload: coded.payload,
        }
    }

    /// Script data as a frame of its track.
    pub(super) fn data(&mut self, timestamp_ms: u32, payload: Bytes) -> Frame {
        let placed = self.steady.place_data(self.unwrap.peek(timestamp_ms));
        let dts_ms = self.data_last_ms.map_or(placed, |last| placed.max(last));
        self.data_last_ms = Some(dts_ms);
        let dts = Timestamp::from_ms(dts_ms);
        Frame { track: TrackId::DATA, codec: Codec::Script, dts, pts: dts, key: true, payload }
    }
}
