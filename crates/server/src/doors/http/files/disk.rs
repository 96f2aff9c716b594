//! Reading at a place of a blob, and having the kernel read what it is to send, without holding up the tasks that
//! share a thread.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::io;
#[cfg(target_os = "linux")]
use std::sync::Arc;

use bytes::BytesMut;
use headwater_vod::Blob;

/// Bytes read at once where a range is read for the page cache's sake only.
#[cfg(target_os = "linux")]
const WARM_BYTES: usize = 64 << 10;

/// Whether sending this range will not wait for the disk, as far as its two ends tell. Yes where nobody can tell.
#[cfg(target_os = "linux")]
pub(super) fn is_cached(file: &File, offset: u64, len: u64) -> bool {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let waits = |place| {
        let mut byte = [0];
        let mut buffers = [io::IoSliceMut::new(&mut byte)];
        preadv2(file, &mut buffers, place, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN)
    };
    !waits(offset) && !waits(offset.saturating_add(len.saturating_sub(1)))
}

/// Reads a range from the disk into the page cache, and has the kernel begin with what follows it.
#[cfg(target_os = "linux")]
pub(super) async fn warm(file: &Arc<File>, offset: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    let file = Arc::clone(file);
    headwater_vod::blocking(move || {
        // Advice only: what the kernel makes of it changes the time, not the outcome.
        let _ = fadvise(&file, offset, std::num::NonZeroU64::new(len.saturating_mul(2)), Advice::WillNeed);
        let mut buffer = vec![0; WARM_BYTES];
        let mut at = offset;
        while at < offset.saturating_add(len) {
            match std::os::unix::fs::FileExt::read_at(&*file, &mut buffer, at)? {
                0 => break,
                count => at += count as u64,
            }
        }
        Ok(())
    })
    .await
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
