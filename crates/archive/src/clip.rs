//! A span of a broadcast as a film of its own, made of the parts that its window keeps.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use headwater_media::Timestamp;
use headwater_media::mp4::TrackFragments;
use headwater_vod::{Blob, Film, Refusal, RefusalKind, blocking};

use crate::part::Init;
use crate::window::{Kept, Lookup, Window};

/// Bytes of one span: a minute of 34 Mbit/s, ten minutes of 3 Mbit/s. It is put together in memory.
pub const CLIP_BYTES_MAX: u64 = 256 << 20;
/// Tracks of one span, those that continue others too: far more than people make, and no more than files are read of.
const DESCRIPTIONS_MAX: usize = 100;
/// Parts of one track that were made before parts of others of the same time, at most: a second.
const UNEVEN: Timestamp = Timestamp::from_ms(2_000);

/// The parts of a broadcast around a span: from the key frame at or before `from` to what is shown at `until`. What of the
/// film's own time a time of the broadcast is says [`index().clock()`](headwater_media::index::Index::clock).
///
/// # Errors
/// `NotFound` if the window does not hold it (any more); `NoMedia` if its tracks are described in more than
/// a hundred ways; `TooLarge` if it is larger than [`CLIP_BYTES_MAX`]; `Failed`.
pub async fn clip(window: &Window, from: Timestamp, until: Timestamp) -> Result<Film, Refusal> {
    let parts = gather(window, from, until)?;
    let mut inits: Vec<&Arc<Init>> = Vec::new();
    for kept in &parts {
        let init = &kept.part().init;
        // Script data is read where it stands, and has no place in a head.
        let is_known = inits.iter().any(|known| known.track_number == init.track_number);
        if init.track_number > 0 && !is_known {
            inits.push(init);
        }
    }
    if inits.len() > DESCRIPTIONS_MAX {
        let text = "Codec or size change all the time within this span; ask for a shorter one.";
        return Err(Refusal::new(RefusalKind::NoMedia, text));
    }
    let tracks =
        inits.iter().map(|init| TrackFragments::new(init.track_number, &init.track, &init.key_frame));
    let tracks = tracks.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    let mut file = BytesMut::from(&TrackFragments::head_of(tracks.iter())[..]);
    for kept in &parts {
        file.extend_from_slice(&kept.bytes().await.map_err(|error| failed(&error))?);
    }
    let name = window.name().to_string();
    let blob: Arc<dyn Blob> = Arc::new(Assembled { bytes: file.freeze(), modified: SystemTime::now() });
    blocking(move || Film::of(name, blob).map_err(|error| failed(&error))).await
}

fn gather(window: &Window, from: Timestamp, until: Timestamp) -> Result<Vec<Arc<Kept>>, Refusal> {
    let range = window.range();
    let entry = window.entry(from).filter(|_| from < until && from < range.to && until > range.from);
    let Some(entry) = entry else {
        let text = format!("The window holds {} to {}; ask for a span of that.", range.from, range.to);
        return Err(Refusal::new(RefusalKind::NotFound, text));
    };
    let (mut ordinal, mut parts, mut bytes) = (entry.ordinal, Vec::new(), 0);
    while let Lookup::Part(kept) = window.lookup(ordinal) {
        ordinal += 1;
        let part = kept.part();
        if part.from() > until + UNEVEN {
            break;
        }
        let is_within = part.from() < until && part.until() > entry.at;
        if !is_within || part.last_sequence() < entry.sequence {
            continue;
        }
        bytes += u64::from(part.len);
        if bytes > CLIP_BYTES_MAX {
            let text = format!("This span has more than {CLIP_BYTES_MAX} bytes; ask for a shorter one.");
            return Err(Refusal::new(RefusalKind::TooLarge, text));
        }
        parts.push(kept);
    }
    Ok(parts)
}

fn failed(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(RefusalKind::Failed, format!("The clip cannot be made: {error}."))
}

/// A film in memory.
#[derive(Debug)]
struct Assembled {
    bytes: Bytes,
    modified: SystemTime,
}

impl Blob for Assembled {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn modified(&self) -> SystemTime {
        self.modified
    }

    fn etag(&self) -> &str {
        "\"clip\""
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize {
        if self.read_exact_at(bytes, offset).is_ok() { bytes.len() } else { 0 }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok();
        let range = from.and_then(|from| Some(from..from.checked_add(bytes.len())?));
        let found = range.and_then(|range| self.bytes.get(range));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
