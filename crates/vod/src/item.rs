//! What a file holds, in its order.

use bytes::Bytes;
use headwater_media::flv;
use headwater_media::{Frame, MediaKind, Track};

/// What a file holds, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// A track begins or changes.
    Track(Track),
    /// The file's `onMetaData`: AMF0 values, handler name first.
    Metadata(Bytes),
    /// A frame, its time counted from the start of the file.
    Frame(Frame),
}

impl From<flv::MediaItem> for Item {
    fn from(item: flv::MediaItem) -> Self {
        match item {
            flv::MediaItem::Track(track) => Self::Track(track),
            flv::MediaItem::Frame(frame) if is_metadata(&frame) => Self::Metadata(frame.payload),
            flv::MediaItem::Frame(frame) => Self::Frame(frame),
        }
    }
}

/// Whether a frame of script data is the stream's description.
pub fn is_metadata(frame: &Frame) -> bool {
    frame.track.kind == MediaKind::Data && flv::is_on_metadata(&frame.payload)
}
