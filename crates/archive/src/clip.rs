//! A span of a broadcast as a film of its own, made of the parts that its window keeps.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use headwater_media::Timestamp;
use headwater_media::mp4::TrackFragments;
use headwater_vod::{Blob, Film, Refusal, RefusalKind, blocking};

use crate::part::Init;
use crate::window::{Kept, Lookup, Window};

/// Bytes of one span: a minute of 34 Mbit/s, ten minutes of 3 Mbit/s. They stay where they are, in memory too, for as long as
/// somebody reads the clip.
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
    let head = TrackFragments::head_of(tracks.iter());
    let name = window.name().to_string();
    let blob: Arc<dyn Blob> = Arc::new(Assembled::new(&window.tag(), head, parts));
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

/// A film of a head and parts, which are read where they lie.
#[derive(Debug)]
struct Assembled {
    head: Bytes,
    /// With the byte that each begins at.
    parts: Vec<(u64, Arc<Kept>)>,
    size: u64,
    modified: SystemTime,
    etag: String,
}

impl Assembled {
    /// `broadcast` is the [tag](Window::tag) of what the parts are of.
    fn new(broadcast: &str, head: Bytes, parts: Vec<Arc<Kept>>) -> Self {
        let ordinal = |kept: Option<&Arc<Kept>>| kept.map_or(0, |kept| kept.part().ordinal);
        let span = (ordinal(parts.first()), ordinal(parts.last()));
        let mut size = head.len() as u64;
        let placed = parts.into_iter().map(|kept| {
            let at = size;
            size += u64::from(kept.part().len);
            (at, kept)
        });
        let parts = placed.collect();
        let etag = format!("\"{broadcast}-{}-{}-{size}\"", span.0, span.1);
        Self { head, parts, size, modified: SystemTime::now(), etag }
    }

    /// Fills `bytes` from `offset` on, a part after the other, until `read` gives less than it could; how much that was.
    fn fill(
        &self,
        bytes: &mut [u8],
        offset: u64,
        read: impl Fn(&Kept, &mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let beyond = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut filled = 0;
        while filled < bytes.len() {
            let at = offset.saturating_add(filled as u64);
            let rest = &mut bytes[filled..];
            if let Some(head) =
                usize::try_from(at).ok().and_then(|at| self.head.get(at..)).filter(|it| !it.is_empty())
            {
                let count = head.len().min(rest.len());
                rest[..count].copy_from_slice(&head[..count]);
                filled += count;
                continue;
            }
            let place = self.parts.partition_point(|(begin, _)| *begin <= at);
            let (begin, kept) =
                place.checked_sub(1).and_then(|place| self.parts.get(place)).ok_or_else(beyond)?;
            let within = at - begin;
            let left =
                u64::from(kept.part().len).checked_sub(within).filter(|left| *left > 0).ok_or_else(beyond)?;
            let count = rest.len().min(left as usize);
            let got = read(kept, &mut rest[..count], within)?;
            filled += got;
            if got < count {
                break;
            }
        }
        Ok(filled)
    }
}

impl Blob for Assembled {
    fn size(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> SystemTime {
        self.modified
    }

    fn etag(&self) -> &str {
        &self.etag
    }

    fn read_at_hand(&self, bytes: &mut [u8], offset: u64) -> usize {
        self.fill(bytes, offset, |kept, bytes, at| Ok(kept.read_at_hand(bytes, at))).unwrap_or(0)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let read = |kept: &Kept, bytes: &mut [u8], at| kept.read_exact_at(bytes, at).map(|()| bytes.len());
        self.fill(bytes, offset, read).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_hub::StreamName;

    use super::*;
    use crate::parts::tests::{Broadcast, video};
    use crate::window::{InAll, WindowConfig};

    #[tokio::test]
    async fn a_clip_of_another_broadcast_has_another_tag() {
        let mut broadcast = Broadcast::new(&[video()]);
        broadcast.play(0, 2_000, 40.0, 50);
        let broadcast = broadcast.end();
        // All but the time is the same: as after a restart of the server and of the publisher.
        let tag = async |began| {
            let began = SystemTime::UNIX_EPOCH + Duration::from_nanos(began);
            let name = StreamName::parse("live/a").unwrap();
            let window = Window::new(name, 1, began, WindowConfig::default(), 0, InAll::default());
            window.take(broadcast.made.clone());
            let span = (Timestamp::ZERO, Timestamp::from_ms(1_000));
            clip(&window, span.0, span.1).await.unwrap().etag().to_owned()
        };
        assert_eq!(tag(5).await, tag(5).await);
        assert_ne!(tag(5).await, tag(6).await);
    }

    #[test]
    fn any_range_is_what_head_and_parts_are_one_behind_the_other() {
        let mut broadcast = Broadcast::new(&[video()]);
        broadcast.play(0, 2_000, 40.0, 50);
        let broadcast = broadcast.end();
        let made = || broadcast.parts_and_bytes();
        let mut all = b"head".to_vec();
        made().for_each(|(_, bytes)| all.extend_from_slice(bytes));
        let parts: Vec<_> =
            made().map(|(part, bytes)| Arc::new(Kept::new(Arc::clone(part), bytes.clone()))).collect();
        assert!(parts.len() > 3);
        let film = Assembled::new("b", Bytes::from_static(b"head"), parts);
        assert_eq!(film.size(), all.len() as u64);
        for from in (0..all.len()).step_by(7) {
            for len in [1, 5, 100, all.len() - from] {
                let len = len.min(all.len() - from);
                let (mut read, mut at_hand) = (vec![0; len], vec![0; len]);
                film.read_exact_at(&mut read, from as u64).unwrap();
                assert_eq!(film.read_at_hand(&mut at_hand, from as u64), len);
                assert!(read == all[from..from + len] && at_hand == read, "{len} from {from}");
            }
        }
        for from in [all.len() as u64, all.len() as u64 + 1, u64::MAX] {
            let error = film.read_exact_at(&mut [0], from).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
