//! The index of a file made, and made longer when the file has grown. Blocking: not for a task's thread.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use headwater_media::Error;
use headwater_media::flv::Indexer;
use headwater_media::index::Index;
use headwater_media::mp4::Scan;

use super::film::read_exact_at;
use super::place::Found;
use super::reader::TAG_BYTES_MAX;

/// Bytes of an FLV file read at once.
const READ_BYTES: usize = 1 << 20;
/// What an index goes on from is kept for so long after the file was last written to.
const KEPT: Duration = Duration::from_secs(60);

/// What an index of a file that grows goes on from.
#[derive(Debug)]
pub(super) enum Growth {
    Flv { indexer: Box<Indexer>, read: u64 },
    Mp4(Box<Scan>),
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoIndex {
    #[error("it is empty")]
    Empty,
    #[error("it is neither FLV nor MP4 (MOV, M4V, F4V)")]
    NoMedia,
    #[error(transparent)]
    Media(#[from] Error),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Makes the index of a file, from where `growth` stands if that is of the same file.
pub(super) fn index(found: &Found, growth: Option<Growth>) -> Result<(Index, Option<Growth>), NoIndex> {
    let growth = match growth {
        Some(Growth::Flv { indexer, read }) => index_flv(found, indexer, read)?,
        Some(Growth::Mp4(scan)) => grow_mp4(found, scan)?,
        None => begin(found)?,
    };
    let may_grow = SystemTime::now().duration_since(found.modified).is_ok_and(|age| age < KEPT);
    Ok(match growth {
        Growth::Flv { indexer, read } if may_grow => {
            (indexer.clone().finish()?, Some(Growth::Flv { indexer, read }))
        }
        Growth::Mp4(scan) if may_grow => (scan.clone().finish()?, Some(Growth::Mp4(scan))),
        Growth::Flv { indexer, .. } => (indexer.finish()?, None),
        Growth::Mp4(scan) => (scan.finish()?, None),
    })
}

fn begin(found: &Found) -> Result<Growth, NoIndex> {
    let mut start = [0; 8];
    let length = found.bytes.min(start.len() as u64) as usize;
    read_exact_at(&found.file, &mut start[..length], 0)?;
    match &start[..length] {
        [] => Err(NoIndex::Empty),
        [b'F', b'L', b'V', ..] => index_flv(found, Box::new(Indexer::new(TAG_BYTES_MAX)), 0),
        // The scan tells by the first box whether it is MP4.
        [_, _, _, _, kind @ ..] if kind.len() == 4 && kind.iter().all(u8::is_ascii_alphanumeric) => {
            let mut scan = Box::new(Scan::new(found.bytes));
            supply(&found.file, &mut scan)?;
            Ok(Growth::Mp4(scan))
        }
        _ => Err(NoIndex::NoMedia),
    }
}

fn index_flv(found: &Found, mut indexer: Box<Indexer>, mut read: u64) -> Result<Growth, NoIndex> {
    let mut buffer = vec![0; READ_BYTES];
    while read < found.bytes {
        let count = (found.bytes - read).min(READ_BYTES as u64) as usize;
        read_exact_at(&found.file, &mut buffer[..count], read)?;
        read += count as u64;
        if !indexer.feed(&buffer[..count]) {
            break;
        }
    }
    Ok(Growth::Flv { indexer, read })
}

fn grow_mp4(found: &Found, mut scan: Box<Scan>) -> Result<Growth, NoIndex> {
    if !scan.grow(found.bytes) {
        return begin(found);
    }
    supply(&found.file, &mut scan)?;
    Ok(Growth::Mp4(scan))
}

fn supply(file: &File, scan: &mut Scan) -> Result<(), NoIndex> {
    while let Some(Range { start, end }) = scan.wants() {
        // The scan has compared what boxes announce with the file's length and its limits.
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        read_exact_at(file, &mut bytes, start)?;
        scan.supply(&bytes)?;
    }
    Ok(())
}
