//! What Enhanced RTMP says of a track beside its configuration: colours, loudspeakers.

use bytes::Bytes;

use crate::amf::{Limits, Value, amf0};
use crate::{Error, MediaKind};

/// Longest packet of this sort. Complete HDR metadata has 400 bytes, 255 channels have 257.
const EXTRA_LEN_MAX: usize = 4096;

/// Checks the bytes, for they go to every viewer; empty if they take back what was said before.
pub(super) fn read(kind: MediaKind, bytes: &Bytes) -> Result<Bytes, Error> {
    if bytes.len() > EXTRA_LEN_MAX {
        return Err(Error::limit("track metadata in bytes", bytes.len() as u64, EXTRA_LEN_MAX as u64));
    }
    let kept = match kind {
        MediaKind::Video => read_metadata(bytes)?,
        MediaKind::Audio | MediaKind::Data => read_channel_layout(bytes)?,
    };
    // It outlives its message.
    Ok(Bytes::copy_from_slice(kept))
}

/// Names and values in AMF0. A value of nothing resets what its name stands for.
fn read_metadata(bytes: &[u8]) -> Result<&[u8], Error> {
    let malformed = |reason: String| Error::malformed("video metadata", reason);
    let values = amf0::decode_all_with(bytes, &Limits::WIRE).map_err(|error| malformed(error.to_string()))?;
    let (pairs, []) = values.as_chunks::<2>() else {
        return Err(malformed("a name has no value".to_owned()));
    };
    let says_something = |[_, value]: &[Value; 2]| match value {
        Value::Undefined | Value::Null => false,
        Value::Object(object) | Value::EcmaArray(object) => !object.is_empty(),
        _ => true,
    };
    Ok(if pairs.iter().any(says_something) { bytes } else { &[] })
}

/// A channel order, the count of channels, and what the order needs: a mask or a list.
fn read_channel_layout(bytes: &[u8]) -> Result<&[u8], Error> {
    const UNSPECIFIED: u8 = 0;
    const NATIVE: u8 = 1;
    const CUSTOM: u8 = 2;
    const MASK_LEN: usize = 4;
    let malformed = |reason: &'static str| Error::malformed("channel layout", reason);
    let &[order, count, ..] = bytes else { return Err(malformed("it has less than two bytes")) };
    let len = 2 + match order {
        UNSPECIFIED => 0,
        NATIVE => MASK_LEN,
        CUSTOM => usize::from(count),
        _ => return Err(malformed("its order is unknown")),
    };
    bytes.get(..len).ok_or_else(|| malformed("it is shorter than its order needs"))
}
