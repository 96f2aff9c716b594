//! Figures of a track: how much, how fast, how regular.

use headwater_media::regularity::{Irregularity, KeyInterval};
use headwater_media::{MediaKind, Timestamp};

use crate::tag::{Packet, Tag};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::capture::Side;

/// What was seen of one track of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackFigures {
    /// Who sends it.
    pub side: Side,
    /// On which stream.
    pub stream: MessageStreamId,
    /// Audio or video.
    pub kind: MediaKind,
    /// The track's number in a multitrack stream, else 0.
    pub track: u8,
    /// The codec's name; a FourCC is the peer's own text, escaped to ASCII.
    pub codec: String,
    /// Decoder configurations.
    pub headers: u64,
    /// Coded frames.
    pub frames: u64,
    /// Of them, key frames.
    pub keys: u64,
    /// Bytes of messages, headers included.
    pub bytes: u64,
    /// The first frame's time in milliseconds, as sent.
    pub first_ms: i64,
    /// The newest frame's time in milliseconds, wraps undone.
    pub last_ms: i64,
    /// When the first frame came, in nanoseconds since the conversation's first byte.
    pub first_ns: u64,
    /// When the newest frame came.
    pub last_ns: u64,
    /// The shortest and the longest distance between key frames, in frames.
    pub gop_frames: Option<(u64, u64)>,
    /// The newest whole distance between key frames, in milliseconds.
    pub gop_ms: Option<i64>,
    /// Times that went back.
    pub backward_steps: u64,
    /// Times that leapt by more than a second.
    pub gaps: u64,
    /// The largest step between neighbours, in milliseconds.
    pub step_ms_max: i64,
    /// The least and the largest composition time, in milliseconds.
    pub composition_ms: Option<(i32, i32)>,
    newest_raw: u32,
    key_at: Option<u64>,
    key_interval: KeyInterval,
}

impl TrackFigures {
    pub(crate) fn new(side: Side, stream: MessageStreamId, tag: &Tag) -> Self {
        Self {
            side,
            stream,
            kind: tag.kind,
            track: tag.track.unwrap_or(0),
            codec: tag.codec.clone().into_owned(),
            headers: 0,
            frames: 0,
            keys: 0,
            bytes: 0,
            first_ms: 0,
            last_ms: 0,
            first_ns: 0,
            last_ns: 0,
            gop_frames: None,
            gop_ms: None,
            backward_steps: 0,
            gaps: 0,
            step_ms_max: 0,
            composition_ms: None,
            newest_raw: 0,
            key_at: None,
            key_interval: KeyInterval::default(),
        }
    }

    /// Media time between the first and the newest frame, in milliseconds.
    #[must_use]
    pub fn span_ms(&self) -> i64 {
        self.last_ms - self.first_ms
    }

    /// Frames per second of media time, when there are enough to tell.
    #[must_use]
    pub fn frames_per_second(&self) -> Option<f64> {
        let span = self.span_ms();
        (self.frames > 1 && span > 0).then(|| (self.frames - 1) as f64 * 1000.0 / span as f64)
    }

    /// Bits per second of media time, when there is enough to tell.
    #[must_use]
    pub fn bits_per_second(&self) -> Option<u64> {
        let span = u64::try_from(self.span_ms()).ok().filter(|span| *span > 0)?;
        Some(self.bytes.saturating_mul(8000) / span)
    }

    /// Counts a message; for a frame, the step from the frame before, in milliseconds.
    pub(crate) fn count(&mut self, tag: &Tag, raw_ms: u32, at_ns: u64, bytes: usize) -> Option<i64> {
        self.bytes += bytes as u64;
        match tag.packet {
            Packet::Header => self.headers += 1,
            Packet::Frame => return self.frame(tag, raw_ms, at_ns),
            _ => {}
        }
        None
    }

    fn frame(&mut self, tag: &Tag, raw_ms: u32, at_ns: u64) -> Option<i64> {
        if self.frames == 0 {
            (self.first_ms, self.last_ms, self.first_ns) = (raw_ms.into(), raw_ms.into(), at_ns);
            self.newest_raw = raw_ms;
        }
        let step = i64::from(raw_ms.wrapping_sub(self.newest_raw).cast_signed());
        (self.newest_raw, self.last_ns) = (raw_ms, at_ns);
        self.last_ms += step;
        self.frames += 1;
        match Irregularity::of_step(Timestamp::from_ms(step)) {
            Some(Irregularity::Back(_)) => self.backward_steps += 1,
            Some(Irregularity::Gap(_)) => self.gaps += 1,
            None => {}
        }
        self.step_ms_max = self.step_ms_max.max(step);
        if let Some(ms) = tag.composition_ms {
            let (least, most) = self.composition_ms.unwrap_or((ms, ms));
            self.composition_ms = Some((least.min(ms), most.max(ms)));
        }
        if tag.kind == MediaKind::Video && tag.is_key() {
            self.keys += 1;
            self.key_interval.key(Timestamp::from_ms(self.last_ms));
            self.gop_ms = self.key_interval.whole().map(Timestamp::as_ms);
            if let Some(frames) = self.key_at.replace(self.frames) {
                let gop = self.frames - frames;
                let (least, most) = self.gop_frames.unwrap_or((gop, gop));
                self.gop_frames = Some((least.min(gop), most.max(gop)));
            }
        }
        (self.frames > 1).then_some(step)
    }
}
