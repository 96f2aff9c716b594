//! Reading at a place of a blob, and having the kernel read what it is to send, without holding up the tasks that
//! share a thread.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use headwater_vod::Blob;

/// Bytes read at once where a range is read for the page cache's sake only.
#[cfg(target_os = "linux")]
const WARM_BYTES: usize = 64 << 10;

/// The first and the last page of a range may be in memory for what is beside it, and tell nothing: it is looked at so far inside,
/// in bytes.
#[cfg(target_os = "linux")]
const INSIDE: u64 = 4 << 10;

/// Whether sending these ranges will not wait for the disk, as far as the beginning and the end of each tell. Yes where nobody can
/// tell.
#[cfg(target_os = "linux")]
pub(super) fn is_cached(file: &File, ranges: &[Range<u64>]) -> bool {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let waits = |place| {
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        preadv2(file, &mut buffers, place, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN)
    };
    let places = |range: &Range<u64>| {
        let inside = INSIDE.min(range.end.saturating_sub(range.start) / 2);
        [range.start.saturating_add(inside), range.end.saturating_sub(inside + 1)]
    };
    !ranges.iter().flat_map(places).any(waits)
}

/// Reads ranges from the disk into the page cache, and has the kernel begin with what follows each.
#[cfg(target_os = "linux")]
pub(super) async fn warm(file: &Arc<File>, ranges: &[Range<u64>]) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    let (file, ranges) = (Arc::clone(file), ranges.to_vec());
    headwater_vod::blocking(move || {
        for range in &ranges {
            let twice = range.end.saturating_sub(range.start).saturating_mul(2);
            // Advice only: what the kernel makes of it changes the time, not the outcome.
            let _ = fadvise(&file, range.start, std::num::NonZeroU64::new(twice), Advice::WillNeed);
        }
        let mut buffer = vec![0; WARM_BYTES];
        ranges.into_iter().try_for_each(|range| read_through(&file, range, &mut buffer))
    })
    .await
}

/// Reads a range, as far as the file goes, for the page cache's sake.
#[cfg(target_os = "linux")]
fn read_through(file: &File, range: Range<u64>, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = range.end.saturating_sub(range.start);
    while left > 0 {
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        match std::os::unix::fs::FileExt::read_at(file, room, range.end - left)? {
            0 => break,
            count => left -= count as u64,
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn is_cached(_: &File, _: &[Range<u64>]) -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn warm(_: &Arc<File>, _: &[Range<u64>]) -> io::Result<()> {
    Ok(())
}

/// Whether a range may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// What is not in memory is `WouldBlock`.
    None,
    Disk,
}

/// Reads exactly this range.
///
/// # Errors
/// `UnexpectedEof` if the file is shorter.
pub(super) fn read(
    blob: &dyn Blob,
    offset: u64,
    len: usize,
    patience: Patience,
    out: &mut BytesMut,
) -> io::Result<()> {
    let start = out.len();
    out.resize(start + len, 0);
    let rest = out.get_mut(start..).unwrap_or_default();
    let at_hand = blob.read_at_hand(rest, offset);
    let rest = rest.get_mut(at_hand..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(());
    }
    match patience {
        Patience::None => Err(io::ErrorKind::WouldBlock.into()),
        Patience::Disk => blob.read_exact_at(rest, offset + at_hand as u64),
    }
}
