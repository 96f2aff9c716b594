//! Edit lists (ISO 14496-12, 8.6.6): which of a track's samples are shown, and when on the movie's timeline.
//!
//! Without a list everything is shown at its own time. Followed are silence before the first edit and between edits, an
//! edit that trims, and several edits that leave out, repeat or rearrange. Each begins with the keyframe that its first
//! picture needs: what is between them is decoded only. Edits at another speed than 1 are left out with a note.

use std::ops::Range;

use super::boxes::{Fields, children};
use crate::index::Sample;
use crate::presented::LONE;
use crate::{Error, Timestamp};

/// Edits of a track that are followed, at most: each is looked for in all of its samples.
const EDITS_MAX: usize = 128;
/// Samples that edits are looked for in, all edits of a track together: 100 edits in a million samples, six hours of sound.
/// That takes about a second.
const LOOKED_AT_MAX: usize = 100_000_000;
/// Behind all times of a media.
const FOREVER: Timestamp = Timestamp::from_nanos(i64::MAX);
/// Sound before an edit's first is kept for the decoder to run in, so much at most: what Opus asks for (RFC 7845, 4.6).
const SOUND_RUN_IN: Timestamp = Timestamp::from_ms(80);
/// Sound before the first edit is priming if it is no longer than this, and kept whole.
const SOUND_PRIMING_MAX: Timestamp = Timestamp::from_ms(250);
/// Pictures that are decoded only stand so far apart, a tick of 90 kHz: who shows them all the same does so in no time.
const APART: Timestamp = Timestamp::from_nanos(11_111);

/// The edit list of a track, as far as it is followed; empty if everything is shown at its own time.
#[derive(Clone, Debug, Default)]
pub(super) struct EditList {
    edits: Vec<Edit>,
    /// What is not followed, in words.
    pub(super) note: Option<String>,
}

/// A part of the media that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    /// When that begins, on the movie's timeline.
    at: Timestamp,
    /// Which times of the media.
    media: Range<Timestamp>,
}

/// Times of the media that one edit shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) media: Range<Timestamp>,
    /// How far they are from those of the movie's timeline.
    pub(super) moved: Timestamp,
}

/// Everything, at its own time.
const WHOLE: Edit = Edit { at: Timestamp::ZERO, media: Timestamp::from_nanos(i64::MIN)..FOREVER };

/// The samples of a track in decoding order at times of the media, as they are to be placed.
pub(super) struct Media<'a> {
    pub(super) samples: &'a [Sample],
    pub(super) is_video: bool,
    /// Whether it is known which of them are key frames. Where nobody says it, or all are said to be, the pictures
    /// themselves are asked later; until then an edit begins with the first of all.
    pub(super) has_known_keys: bool,
    /// How long the last one lasts; zero if nobody says.
    pub(super) last_lasts: Timestamp,
}

impl EditList {
    /// Reads the list of a track. Of a fragmented file the last edit goes on to the end, for it was written before
    /// anybody knew how long the film would be.
    pub(super) fn of(trak: &[u8], timescale: u32, movie_timescale: u32, is_fragmented: bool) -> Self {
        let elst = children(trak).find_kind(b"edts").and_then(|edts| children(edts).find_kind(b"elst"));
        let Some(elst) = elst else { return Self::default() };
        Self::read(elst, timescale, movie_timescale, is_fragmented).unwrap_or_else(|_| Self {
            edits: Vec::new(),
            note: Some("its edit list cannot be read and is not followed".to_owned()),
        })
    }

    fn read(elst: &[u8], timescale: u32, movie_timescale: u32, is_fragmented: bool) -> Result<Self, Error> {
        const NORMAL_SPEED: u32 = 0x1_0000;
        let (version, _, mut fields) = Fields::full(elst, "elst")?;
        let wide = version == 1;
        let count = fields.u32()?;
        // Lengths are rounded to ticks of the movie.
        let rounding = Timestamp::from_ticks(1, movie_timescale) + Timestamp::from_ticks(1, timescale);
        let (mut list, mut at, mut at_other_speed) = (Self::default(), Timestamp::ZERO, 0);
        for number in 1..=count {
            let lasts = i64::try_from(fields.sized(wide)?).unwrap_or(i64::MAX);
            let lasts = Timestamp::from_ticks(lasts, movie_timescale);
            let start = if wide { fields.u64()? as i64 } else { i64::from(fields.u32()? as i32) };
            let is_normal = fields.u32()? == NORMAL_SPEED;
            let to_the_end = number == count && (is_fragmented || lasts == Timestamp::ZERO);
            if start < 0 {
                at = at + lasts;
            } else if !is_normal {
                at_other_speed += 1;
            } else if to_the_end || lasts > Timestamp::ZERO {
                let start = Timestamp::from_ticks(start, timescale);
                let end = if to_the_end { FOREVER } else { start + lasts };
                list.push(Edit { at, media: start..end }, rounding);
                at = at + lasts;
            }
            if list.edits.len() == EDITS_MAX && number < count {
                list.note = Some(format!("only the first {EDITS_MAX} of its {count} edits are followed"));
                break;
            }
        }
        if at_other_speed > 0 {
            list.note = Some(if list.edits.is_empty() {
                "its edit list asks for another speed, which is not followed: it plays whole".to_owned()
            } else {
                format!("{at_other_speed} of its edits have another speed and are left out")
            });
        }
        Ok(list)
    }

    /// Adds an edit, or makes the one before longer if it only goes on.
    fn push(&mut self, edit: Edit, rounding: Timestamp) {
        match self.edits.last_mut() {
            Some(before)
                if near(before.media.end, edit.media.start, rounding)
                    && near(before.at + (before.media.end - before.media.start), edit.at, rounding) =>
            {
                before.media.end = edit.media.end;
            }
            _ => self.edits.push(edit),
        }
    }

    /// Leaves out as many of the last edits as are too many for a track of so many samples.
    pub(super) fn afford(&mut self, samples: usize) {
        let (count, most) = (self.edits.len(), (LOOKED_AT_MAX / samples.max(1)).max(1));
        if count > most {
            self.edits.truncate(most);
            self.note = Some(format!("only the first {most} of its {count} edits are followed"));
        }
    }

    /// Whether something is cut away or rearranged, or might be.
    pub(super) const fn is_followed(&self) -> bool {
        !self.edits.is_empty()
    }

    /// What is shown, for what has no pictures or sounds that need others.
    pub(super) fn parts(&self) -> Vec<Part> {
        if self.edits.is_empty() {
            return vec![Part { media: WHOLE.media, moved: Timestamp::ZERO }];
        }
        let part = |edit: &Edit| Part { media: edit.media.clone(), moved: edit.at - edit.media.start };
        self.edits.iter().map(part).collect()
    }

    /// Adds the samples that are needed to `out`, at times of the movie, `samples_max` at most. From when to when
    /// something is shown comes back; nothing if that is never.
    pub(super) fn place(
        &self,
        media: &Media<'_>,
        samples_max: usize,
        out: &mut Vec<Sample>,
    ) -> Range<Timestamp> {
        let edits = if self.edits.is_empty() { &[WHOLE][..] } else { &self.edits };
        let from = out.len();
        let mut shown: Option<Range<Timestamp>> = None;
        for edit in edits {
            let room = samples_max.saturating_sub(out.len());
            let before = out[from..].last().map(|sample| sample.dts);
            if let Some(part) = edit.meant(media).place(media, before, room, out) {
                let start = shown.as_ref().map_or(part.start, |shown| shown.start.min(part.start));
                let end = shown.map_or(part.end, |shown| shown.end.max(part.end));
                shown = Some(start..end);
            }
        }
        shown.unwrap_or(Timestamp::ZERO..Timestamp::ZERO)
    }
}

impl Edit {
    /// Places one edit; `before` is when the last sample of the edit before it is decoded.
    fn place(
        &self,
        media: &Media<'_>,
        before: Option<Timestamp>,
        room: usize,
        out: &mut Vec<Sample>,
    ) -> Option<Range<Timestamp>> {
        let run = self.run(media, before.is_none())?;
        let samples = &media.samples[run.clone()];
        let first_shown = self.first_shown(media, samples)?;
        // Pictures that the first keyframe leads are shown before it, and nothing behind it needs them.
        let lead = samples.first().filter(|_| media.is_video && run.start > 0).map(|key| key.pts);
        let is_led = |sample: &Sample| !sample.key && lead.is_some_and(|lead| sample.pts < lead);
        let from = out.len();
        let (mut starts, mut ends, mut last_shown) = (FOREVER, Timestamp::from_nanos(i64::MIN), first_shown);
        for sample in samples.iter().filter(|sample| !is_led(sample)).take(room) {
            let is_shown = first_shown <= sample.pts && sample.pts < self.media.end;
            let (mut dts, mut pts) = (self.moved(sample.dts), self.moved(sample.pts));
            if is_shown {
                last_shown = last_shown.max(sample.pts);
                // A picture that is on when the edit begins is shown from then on; a frame of sound has begun before.
                pts = pts.max(if media.is_video { self.at() } else { self.at() - SOUND_RUN_IN });
                starts = starts.min(pts.max(self.at()));
                ends = ends.max(pts);
            } else if sample.pts >= self.media.end {
                pts = pts.min(self.moved(self.media.end));
            }
            dts = if media.is_video { dts.min(pts) } else { pts };
            out.push(Sample { dts, pts, decode_only: !is_shown, ..*sample });
        }
        let placed = &mut out[from..];
        if media.is_video {
            squeeze(placed);
        }
        if let Some(before) = before {
            in_order(placed, before);
        }
        let ends = (ends + self.lasts(media, run.end, last_shown)).min(self.moved(self.media.end));
        (starts < FOREVER).then(|| starts..ends.max(starts + Timestamp::from_nanos(1)))
    }

    /// The edit as it is meant for this media: one that ends with the last picture, of which nobody says how long it
    /// lasts, does not cut it away.
    fn meant(&self, media: &Media<'_>) -> Self {
        if media.last_lasts > Timestamp::ZERO {
            return self.clone();
        }
        let last = media.samples.iter().map(|sample| sample.pts).max();
        let ends_with_it = last.is_some_and(|last| near(last, self.media.end, Timestamp::from_ms(1)));
        let end = if ends_with_it { FOREVER } else { self.media.end };
        Self { at: self.at, media: self.media.start..end }
    }

    /// Whether everything is shown from the media's first time on.
    fn is_whole(&self) -> bool {
        self.media.start == WHOLE.media.start
    }

    /// When it begins; of everything, before all times.
    fn at(&self) -> Timestamp {
        if self.is_whole() { self.media.start } else { self.at }
    }

    /// A time of the media on the movie's timeline.
    fn moved(&self, time: Timestamp) -> Timestamp {
        if self.is_whole() { time } else { time - self.media.start + self.at }
    }

    /// Which samples are needed, one after the other in decoding order: of pictures from the keyframe that the first
    /// one needs, of sound those that the decoder runs in with, to the last one that is shown.
    fn run(&self, media: &Media<'_>, is_first: bool) -> Option<Range<usize>> {
        let samples = media.samples;
        if self.is_whole() {
            return Some(0..samples.len());
        }
        let until = samples.iter().rposition(|sample| sample.pts < self.media.end)? + 1;
        let starts = |sample: &Sample| sample.key && sample.pts <= self.media.start;
        let known = samples[..until].iter().rposition(starts).filter(|_| media.has_known_keys);
        let on = known.unwrap_or(0);
        if media.is_video || !is_first {
            return Some(on..until);
        }
        let is_priming =
            samples.first().is_some_and(|first| self.media.start - first.pts <= SOUND_PRIMING_MAX);
        let early = self.media.start - SOUND_RUN_IN;
        let run_in = if is_priming { 0 } else { samples.partition_point(|sample| sample.pts < early) };
        Some(run_in.min(on)..until)
    }

    /// The time in the media of the first sample that is shown: the one that is on when the edit begins, or the first
    /// behind.
    fn first_shown(&self, media: &Media<'_>, samples: &[Sample]) -> Option<Timestamp> {
        let times = || samples.iter().map(|sample| sample.pts);
        if self.is_whole() {
            return times().min();
        }
        let behind = times().filter(|pts| self.media.start <= *pts && *pts < self.media.end).min();
        let on = times().filter(|pts| *pts < self.media.start).max();
        // What comes next ends it; where nothing does, its own length.
        let end_of = |on: Timestamp| {
            let next = media.samples.iter().map(|sample| sample.pts).filter(|pts| *pts > on).min();
            next.unwrap_or(on + if media.last_lasts > Timestamp::ZERO { media.last_lasts } else { LONE })
        };
        let on = on.filter(|_| behind != Some(self.media.start));
        on.filter(|on| end_of(*on) > self.media.start).or(behind)
    }

    /// How long the last sample that is shown lasts: to the edit's end if more of the media follows.
    fn lasts(&self, media: &Media<'_>, run_end: usize, last_shown: Timestamp) -> Timestamp {
        let to_end = self.media.end - last_shown;
        // An edit without an end ends with the last sample, also if another one's time is beyond all reckoning.
        if run_end < media.samples.len() && self.media.end < FOREVER {
            return to_end;
        }
        let mut last = media.samples.iter().rev().map(|sample| sample.dts);
        let step = last.next().zip(last.next()).map(|(last, before)| last - before);
        let usual = step.filter(|step| *step > Timestamp::ZERO).unwrap_or(LONE);
        let said = Some(media.last_lasts).filter(|lasts| *lasts > Timestamp::ZERO);
        said.unwrap_or(usual).min(to_end)
    }
}

/// Puts pictures in front of the first that is shown close before it.
fn squeeze(samples: &mut [Sample]) {
    let Some(first) = samples.iter().position(|sample| !sample.decode_only) else { return };
    let (before, shown) = samples.split_at_mut(first);
    let mut at = shown.first().map_or(Timestamp::ZERO, |sample| sample.dts);
    for sample in before.iter_mut().rev() {
        at = at - APART;
        (sample.dts, sample.pts) = (at, at);
    }
}

/// Keeps what follows another edit behind it in decoding.
fn in_order(samples: &mut [Sample], mut before: Timestamp) {
    for sample in samples {
        sample.dts = sample.dts.max(before + APART);
        sample.pts = sample.pts.max(sample.dts);
        before = sample.dts;
    }
}

fn near(a: Timestamp, b: Timestamp, by: Timestamp) -> bool {
    (a - b).max(b - a) <= by
}

#[cfg(test)]
mod tests;
