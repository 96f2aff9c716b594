//! Reading at a place of a file, without holding up the tasks that share a thread.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::plan::Piece;
use headwater_vod::{blocking, read_at_hand};

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
    blocking(move || {
        // Advice only: what the kernel makes of it changes the time, not the outcome.
        let _ = fadvise(&file, offset, std::num::NonZeroU64::new(len.saturating_mul(2)), Advice::WillNeed);
        let mut buffer = vec![0; WARM_BYTES];
        let mut at = offset;
        while at < offset.saturating_add(len) {
            match read_at(&file, &mut buffer, at)? {
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
    file: &File,
    offset: u64,
    len: usize,
    patience: Patience,
    out: &mut BytesMut,
) -> io::Result<()> {
    let start = out.len();
    out.resize(start + len, 0);
    let rest = out.get_mut(start..).unwrap_or_default();
    let at_hand = read_at_hand(file, rest, offset);
    let (mut rest, mut at) = (rest.get_mut(at_hand..).unwrap_or_default(), offset + at_hand as u64);
    if patience == Patience::None && !rest.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    while !rest.is_empty() {
        let count = read_at(file, rest, at)?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file has become shorter while it was sent",
            ));
        }
        at += count as u64;
        rest = rest.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Several ranges and bytes, read into one piece: at once if all of it is in memory.
pub(super) async fn gather(pieces: Vec<Piece>) -> io::Result<Bytes> {
    match gather_now(&pieces, Patience::None) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            blocking(move || gather_now(&pieces, Patience::Disk)).await
        }
        gathered => gathered,
    }
}

fn gather_now(pieces: &[Piece], patience: Patience) -> io::Result<Bytes> {
    let mut out = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len() as usize).sum());
    pieces.iter().try_for_each(|piece| piece.read_into(patience, &mut out))?;
    Ok(out.freeze())
}
