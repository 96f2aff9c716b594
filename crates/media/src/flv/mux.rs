//! FLV written: the pieces that stand around payloads, and a [`Muxer`] that puts them together.
//!
//! A server with many viewers uses the pieces (a tag is [`tag_head`], [`frame_head`], payload,
//! [`previous_tag_size`]); a recorder uses the muxer.

use bytes::{BufMut, Bytes, BytesMut};

use super::dialect::Dialect;
use super::head::{AnnouncedTracks, config_bodies, frame_head};
use crate::{Frame, MediaKind, Timestamp, Track, TrackId};

/// Bytes of [`file_header`].
pub const FILE_HEADER_LEN: usize = 13;
/// Bytes of [`tag_head`].
pub const TAG_HEAD_LEN: usize = 11;

/// What a tag carries; the number is also the type of the RTMP message with the same body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TagKind {
    /// Sound.
    Audio = 8,
    /// Pictures.
    Video = 9,
    /// Script data in AMF0. (Type 15, AMF3, is read as this.)
    Script = 18,
}

impl TagKind {
    pub(crate) const fn from_id(id: u8) -> Option<Self> {
        match id {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            15 | 18 => Some(Self::Script),
            _ => None,
        }
    }

    /// The kind of track that such a tag belongs to.
    pub(crate) const fn media(self) -> MediaKind {
        match self {
            Self::Audio => MediaKind::Audio,
            Self::Video => MediaKind::Video,
            Self::Script => MediaKind::Data,
        }
    }
}

impl From<MediaKind> for TagKind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Video => Self::Video,
            MediaKind::Audio => Self::Audio,
            MediaKind::Data => Self::Script,
        }
    }
}

/// The start of a file, the first PreviousTagSize included. The flags must be true: players wait for
/// a track that is announced and never comes.
#[must_use]
pub const fn file_header(has_audio: bool, has_video: bool) -> [u8; FILE_HEADER_LEN] {
    let flags = (has_audio as u8) << 2 | has_video as u8;
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// The head of a tag whose body has `body_len` bytes; only the low 24 bits of it fit.
#[must_use]
pub const fn tag_head(kind: TagKind, body_len: usize, timestamp_ms: u32) -> [u8; TAG_HEAD_LEN] {
    let [_, s2, s1, s0] = (body_len as u32).to_be_bytes();
    let [t3, t2, t1, t0] = timestamp_ms.to_be_bytes();
    [kind as u8, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0]
}

/// What [`tag_head`] was made of: kind, length of the body, and time; `None` of what it does not make.
#[must_use]
pub fn parse_tag_head(head: &[u8; TAG_HEAD_LEN]) -> Option<(TagKind, usize, u32)> {
    let [id, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0] = *head else { return None };
    let kind = TagKind::from_id(id).filter(|kind| *kind as u8 == id)?;
    Some((kind, u32::from_be_bytes([0, s2, s1, s0]) as usize, u32::from_be_bytes([t3, t2, t1, t0])))
}

/// What stands behind a tag whose body has `body_len` bytes.
#[must_use]
pub const fn previous_tag_size(body_len: usize) -> [u8; 4] {
    ((body_len + TAG_HEAD_LEN) as u32).to_be_bytes()
}

/// What is told within this time stands at a file's beginning, where every reader has read it.
const BEGINNING: Timestamp = Timestamp::from_ms(1_000);

/// Turns tracks and frames into the bytes of an FLV file or response.
#[derive(Clone, Debug)]
pub struct Muxer {
    origin: Timestamp,
    dialect: Dialect,
    announced: AnnouncedTracks,
    /// Tracks that have another configuration than at the beginning.
    changed: Vec<TrackId>,
    /// The track that was told of last, and since the last frame.
    just_told: Option<TrackId>,
}

impl Muxer {
    /// `origin` becomes the file's time 0; what lies before it is written at 0. Tracks and frames that
    /// are not for a receiver of this `dialect` are left out.
    #[must_use]
    pub fn new(origin: Timestamp, dialect: Dialect) -> Self {
        let announced = AnnouncedTracks::default();
        Self { origin, dialect, announced, changed: Vec::new(), just_told: None }
    }

    /// Appends the start of the file.
    pub fn write_header(&self, has_audio: bool, has_video: bool, out: &mut BytesMut) {
        out.put_slice(&file_header(has_audio, has_video));
    }

    /// Changes what the receiver takes, as from a new setup of tracks on.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Appends what is new of a track's configuration, to take effect at `at`; nothing for codecs without one. A track
    /// that is not for the receiver counts as not told, since another dialect may choose it.
    pub fn write_track(&mut self, track: &Track, at: Timestamp, out: &mut BytesMut) {
        if !self.dialect.admits(track.id, track.codec) {
            return;
        }
        let is_known = self.announced.tracks().iter().any(|known| known.id == track.id);
        let bodies = self.announced.bodies(track, &self.dialect);
        for body in &bodies {
            self.write_tag(track.id.kind.into(), at, &[], body, out);
        }
        if bodies.is_empty() {
            return;
        }
        self.just_told = Some(track.id);
        if (is_known || at - self.origin > BEGINNING) && !self.changed.contains(&track.id) {
            self.changed.push(track.id);
        }
    }

    /// Appends once more what a reader must know that comes to this frame by a list of keyframes, and has not read what
    /// stands before: where it is a keyframe of the first track with pictures, its configuration and all that have changed,
    /// once any has. For files, before each frame.
    pub fn write_again(&mut self, frame: &Frame, out: &mut BytesMut) {
        let just_told = self.just_told.take();
        if self.changed.is_empty() || !frame.is_video_key() {
            return;
        }
        let told = self.announced.tracks();
        let first =
            told.iter().filter(|track| track.id.kind == MediaKind::Video).min_by_key(|track| track.id);
        let Some(first) = first.filter(|first| first.id == frame.track) else { return };
        // Lists of keyframes name the place of their configuration: whatever is said again is behind it.
        let others = told.iter().filter(|track| track.id != first.id && self.changed.contains(&track.id));
        for track in Some(first).filter(|first| just_told != Some(first.id)).into_iter().chain(others) {
            for body in config_bodies(track, &self.dialect) {
                self.write_tag(track.id.kind.into(), frame.dts, &[], &body, out);
            }
        }
    }

    /// Appends a frame.
    pub fn write_frame(&self, frame: &Frame, out: &mut BytesMut) {
        let Some(head) = frame_head(frame, &self.dialect) else { return };
        self.write_tag(frame.track.kind.into(), frame.dts, head.as_slice(), &frame.payload, out);
    }

    /// Appends script data: a name and values in AMF0, `onMetaData` first of all.
    pub fn write_script(&self, payload: &Bytes, at: Timestamp, out: &mut BytesMut) {
        self.write_tag(TagKind::Script, at, &[], payload, out);
    }

    fn write_tag(&self, kind: TagKind, at: Timestamp, head: &[u8], payload: &[u8], out: &mut BytesMut) {
        let body_len = head.len() + payload.len();
        // The field is 32 bits wide and wraps after 49.7 days; readers expect it to.
        let timestamp_ms = (at - self.origin).as_ms().max(0) as u32;
        out.reserve(TAG_HEAD_LEN + body_len + 4);
        out.put_slice(&tag_head(kind, body_len, timestamp_ms));
        out.put_slice(head);
        out.put_slice(payload);
        out.put_slice(&previous_tag_size(body_len));
    }
}
