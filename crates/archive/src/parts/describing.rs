//! Which rendition a frame belongs to, and what describes it: renditions come, and descriptions change.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::DecoderSetup;
use headwater_media::mp4::TrackFragments;
use headwater_media::{Error, Frame, MediaKind, Timestamp, Track, TrackId};

use super::rendition::Rendition;
use super::{Made, PartMaker};
use crate::part::Init;

/// Renditions of one broadcast: as many as MP4 files are read of.
const RENDITIONS_MAX: usize = headwater_media::mp4::MAX_TRACKS;
/// Pictures that come so much later than the sound begin a segment.
const TOGETHER: Timestamp = Timestamp::from_ms(500);
/// Descriptions that are known again when they come back, as those of a phone that is turned to and fro.
const DESCRIBED_MAX: usize = 64;
/// Bytes that the head of a file may have with all that holds at one time. A recording has room for as much again and more.
const HEAD_BYTES_MAX: usize = 30 << 10;
/// The heads of frames that describe themselves are shorter.
const KEY_FRAME_HEAD_BYTES: usize = 64;

impl PartMaker {
    /// The rendition that decides where segments end: the first with pictures, else the first with sound.
    pub(super) fn leader(&self, setup: &DecoderSetup) -> Option<TrackId> {
        let is_there = |id: &TrackId| self.renditions.iter().any(|rendition| rendition.id == *id);
        setup.tracks().map(|track| track.id).filter(is_there).min()
    }

    /// The rendition of a frame, which is made or described anew if need be; none if there cannot be one.
    pub(super) fn rendition_for(
        &mut self,
        frame: &Frame,
        setup: &Arc<DecoderSetup>,
        now: Duration,
    ) -> Option<usize> {
        let Some(track) = setup.track(frame.track) else {
            self.left_out.add("frames of a track that was not announced", 1);
            return None;
        };
        let at = self.renditions.iter().position(|rendition| rendition.id == frame.track);
        if let Some(at) = at {
            let rendition = &self.renditions[at];
            if !rendition.is_stale && rendition.fragments.is_of(track) {
                return Some(at);
            }
        }
        if frame.track.kind == MediaKind::Video && !frame.key {
            self.left_out.add("pictures before the first key frame", 1);
            return None;
        }
        let described = self.describe(at, track, frame, setup, now);
        match described {
            Ok(at) => {
                self.segments.lead(self.leader(setup));
                Some(at)
            }
            Err(reason) => {
                self.left_out.add(reason, 1);
                None
            }
        }
    }

    fn describe(
        &mut self,
        at: Option<usize>,
        track: &Track,
        frame: &Frame,
        setup: &DecoderSetup,
        now: Duration,
    ) -> Result<usize, String> {
        if at.is_none() && self.renditions.len() >= RENDITIONS_MAX {
            return Err(format!("more than {RENDITIONS_MAX} tracks in one broadcast"));
        }
        let fragments = self.fragments_of(track, &frame.payload).map_err(|error| error.to_string())?;
        let changes = at.is_some_and(|at| !self.renditions[at].is_stale);
        if changes {
            // What else has changed with it begins at the same place.
            self.mark_stale(setup);
        }
        if let Some(at) = at.filter(|_| track.id.kind == MediaKind::Video) {
            self.renditions[at].last_stands_until(frame.dts, self.config.part_target);
        }
        self.announce(&fragments, changes, frame, now)?;
        let init = Arc::new(Init {
            rendition: track.id,
            number: at.map_or(0, |at| self.renditions[at].init.number) + 1,
            track: track.clone(),
            key_frame: Bytes::copy_from_slice(
                &frame.payload[..frame.payload.len().min(KEY_FRAME_HEAD_BYTES)],
            ),
            track_number: fragments.number(),
            timescale: fragments.timescale(),
            bytes: fragments.init_segment(),
        });
        self.made.push(Made::Init(Arc::clone(&init)));
        let Some(at) = at else {
            self.renditions.push(Rendition::new(fragments, init, self.segments.current()));
            return Ok(self.renditions.len() - 1);
        };
        self.renditions[at].describe(fragments, init);
        Ok(at)
    }

    /// The track as it is written: under the number that it had when it was last described so, else under the next.
    fn fragments_of(&mut self, track: &Track, key_frame: &[u8]) -> Result<TrackFragments, Error> {
        let new = TrackFragments::new(self.numbers + 1, track, key_frame)?;
        if let Some(known) = self.described.iter().find(|known| known.is_alike(&new)) {
            return TrackFragments::new(known.number(), track, key_frame);
        }
        self.numbers += 1;
        self.described.truncate(DESCRIBED_MAX - 1);
        self.described.push_front(new.clone());
        Ok(new)
    }

    fn mark_stale(&mut self, setup: &DecoderSetup) {
        for rendition in &mut self.renditions {
            let track = setup.track(rendition.id);
            rendition.is_stale |= track.is_some_and(|track| !rendition.fragments.is_of(track));
        }
    }

    /// Tells which tracks the parts that come are of, and begins a segment where one must.
    fn announce(
        &mut self,
        fragments: &TrackFragments,
        changes: bool,
        frame: &Frame,
        now: Duration,
    ) -> Result<(), String> {
        let others =
            self.renditions.iter().filter(|rendition| !rendition.is_stale && rendition.id != frame.track);
        let tracks: Arc<[_]> =
            others.map(|rendition| rendition.fragments.clone()).chain([fragments.clone()]).collect();
        if TrackFragments::head_of(tracks.iter()).len() > HEAD_BYTES_MAX {
            return Err("configurations too large for the head of a file".into());
        }
        let pictures_begin = frame.track.kind == MediaKind::Video
            && self.segments.start().is_some_and(|start| frame.dts - start > TOGETHER);
        if !self.segments.have_begun() {
            self.segments.begin_first(frame.dts, now);
            let (number, behind) = (self.segments.current(), self.segments.behind());
            self.made.push(Made::Segment { number, at: frame.dts, discontinuity: false, behind });
        } else if changes || pictures_begin {
            self.cut(frame.dts, changes, now);
        }
        self.made.push(Made::Tracks(tracks));
        Ok(())
    }
}
