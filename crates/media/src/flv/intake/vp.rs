//! VP8 and VP9: which frames decoding can start at.

/// The first bit of a VP8 frame is 0 in key frames (RFC 6386, 9.1).
pub(super) fn is_vp8_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|head| head & 1 == 0)
}

/// The uncompressed header of a VP9 frame: marker, profile, whether it only shows another, type.
pub(super) fn is_vp9_key(frame: &[u8]) -> bool {
    const MARKER: u8 = 2;
    let Some(&head) = frame.first() else { return false };
    // Profile 3 has a bit more before the flags.
    let flags = if head >> 4 & 3 == 3 { head >> 1 } else { head >> 2 };
    head >> 6 == MARKER && flags & 3 == 0
}
