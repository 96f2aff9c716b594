//! Finding what to read of an MP4 file: headers of the top-level boxes, `moov`, and every `moof`.

use std::ops::Range;

use super::boxes::{BoxHeader, FourCc};
use super::builder::{IndexBuilder, MAX_MOOV_LEN};
use crate::Error;
use crate::container::Container;
use crate::index::Index;

/// A fragment's description is a few kilobytes, and a message what a publisher may send at once; more than this is an attack.
const MAX_MOOF_LEN: u64 = 16 * 1024 * 1024;
/// Boxes of one file on its topmost level. A fragment is two of them: six days of two tracks in quarters of a second fit.
const MAX_BOXES: u32 = 10_000_000;
/// Walks a file whose bytes the caller reads.
///
/// ```
/// # fn example(file: &[u8]) -> Result<headwater_media::index::Index, headwater_media::Error> {
/// let mut scan = headwater_media::mp4::Scan::new(file.len() as u64);
/// while let Some(range) = scan.wants() {
///     // Read these bytes from wherever the file is.
///     scan.supply(&file[range.start as usize..range.end as usize])?;
/// }
/// scan.finish()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Scan {
    file_len: u64,
    /// Of the box at hand.
    position: u64,
    boxes: u32,
    state: State,
    builder: Option<IndexBuilder>,
    seen: Seen,
    /// The first box that goes beyond the end of the file.
    cut: Option<u64>,
}

/// Which boxes have been met that say what a file without `moov` is.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// `styp`, `sidx` or `moof`.
    fragments: bool,
    /// `ftyp` with the brand of a still picture.
    picture: bool,
}

impl Seen {
    fn note(&mut self, kind: FourCc, head: &[u8]) {
        const PICTURES: [&[u8]; 8] = [b"heic", b"heix", b"heim", b"mif1", b"mif2", b"avif", b"crx ", b"jpeg"];
        self.fragments |= matches!(&kind.0, b"styp" | b"sidx" | b"moof");
        self.picture |= kind.0 == *b"ftyp" && head.get(8..12).is_some_and(|brand| PICTURES.contains(&brand));
    }

    const fn without_moov(self) -> &'static str {
        if self.picture {
            "it is a still picture (HEIC, AVIF) and no film"
        } else if self.fragments {
            "it is a media segment without its initialisation segment; play the playlist that it belongs to, or put \
             both into one file: cat init.mp4 SEGMENTS > film.mp4"
        } else {
            "it has no moov box: the program that wrote it did not finish, or the copy ends too early"
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Body { kind: FourCc, body: u64, end: u64 },
    Done,
}

impl Scan {
    /// For a file of `file_len` bytes.
    #[must_use]
    pub const fn new(file_len: u64) -> Self {
        let seen = Seen { fragments: false, picture: false };
        Self { file_len, position: 0, boxes: 0, state: State::Header, builder: None, seen, cut: None }
    }

    /// The bytes of the file to be given to [`supply`](Self::supply) next; `None` when all is read.
    #[must_use]
    pub fn wants(&self) -> Option<Range<u64>> {
        match self.state {
            State::Header => {
                let end = self.file_len.min(self.position.saturating_add(BoxHeader::MAX_LEN as u64));
                Some(self.position..end).filter(|range| range.end.saturating_sub(range.start) >= 8)
            }
            State::Body { body, end, .. } => Some(body..end),
            State::Done => None,
        }
    }

    /// Takes the bytes that [`wants`](Self::wants) named; fewer mean that the file has become shorter.
    ///
    /// # Errors
    /// `Malformed`, `Limit` or `Unsupported`, with the position of the box.
    pub fn supply(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let position = self.position;
        self.step(bytes).map_err(|error| error.located(position))
    }

    /// The index, when nothing more is wanted.
    ///
    /// # Errors
    /// `Malformed` if there was no `moov`, or no track that can be played.
    pub fn finish(self) -> Result<Index, Error> {
        match self.builder {
            Some(builder) => builder.finish(),
            None => {
                let reason = if self.boxes == 0 {
                    "it is too short to hold a single box"
                } else {
                    self.seen.without_moov()
                };
                Err(Error::malformed("MP4 file", reason).located(self.position))
            }
        }
    }

    /// The file has become longer since it was scanned to its end. False if the scan has to begin anew,
    /// because the file is not a fragmented one.
    pub fn grow(&mut self, file_len: u64) -> bool {
        let Some(builder) = self.builder.as_mut().filter(|builder| builder.is_fragmented()) else {
            return false;
        };
        if file_len < self.file_len {
            return false;
        }
        let from = builder.grow(file_len).or(self.cut);
        self.cut = None;
        self.file_len = file_len;
        self.go_to(from.unwrap_or(self.position));
        true
    }

    fn step(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self.state {
            State::Header => self.read_header(bytes),
            State::Body { kind, body, end } => {
                if (bytes.len() as u64) < end - body {
                    return Err(Error::malformed("MP4 file", format!("it ends inside {kind}")));
                }
                self.read_body(kind, bytes, body)?;
                let fragmented = self.builder.as_ref().is_some_and(IndexBuilder::is_fragmented);
                self.go_to(if fragmented { end } else { self.file_len });
                Ok(())
            }
            State::Done => Err(Error::Misuse("MP4 bytes were supplied after the scan had ended")),
        }
    }

    fn read_header(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(header) = BoxHeader::parse(bytes)? else {
            return Err(Error::malformed("MP4 file", "it ends inside the head of a box"));
        };
        if self.boxes == 0 && Container::recognise(bytes) != Ok(Container::Mp4) {
            let reason = "it does not start with a box that MP4 files start with; this is no MP4 file";
            return Err(Error::malformed("MP4 file", reason));
        }
        self.boxes += 1;
        self.seen.note(header.kind, bytes);
        if self.boxes > MAX_BOXES {
            let (found, limit) = (u64::from(self.boxes), u64::from(MAX_BOXES));
            return Err(Error::limit("number of MP4 boxes", found, limit));
        }
        let end = header.len.map_or(self.file_len, |len| self.position.saturating_add(len));
        if end > self.file_len {
            self.cut.get_or_insert(self.position);
        }
        let limit = match &header.kind.0 {
            b"moov" if self.builder.is_none() => MAX_MOOV_LEN,
            b"moof" | b"emsg" if self.builder.is_some() => MAX_MOOF_LEN,
            _ => {
                self.go_to(end);
                return Ok(());
            }
        };
        if end > self.file_len {
            // The tail of a file that still grows, or of a crash: what stands before it is whole.
            if self.builder.is_some() {
                self.go_to(self.file_len);
                return Ok(());
            }
            let reason = format!("its {} box ends beyond the end of the file: it is incomplete", header.kind);
            return Err(Error::malformed("MP4 file", reason));
        }
        let body = self.position + header.header_len;
        if end - body > limit {
            return Err(Error::limit("size of an MP4 description box in bytes", end - body, limit));
        }
        self.state = State::Body { kind: header.kind, body, end };
        Ok(())
    }

    /// `at`: where the body begins in the file.
    fn read_body(&mut self, kind: FourCc, body: &[u8], at: u64) -> Result<(), Error> {
        match &mut self.builder {
            Some(builder) if kind.0 == *b"emsg" => {
                builder.add_message(body, at);
                Ok(())
            }
            Some(builder) => builder.add_fragment(body, self.position),
            None => {
                debug_assert_eq!(kind.0, *b"moov");
                self.builder = Some(IndexBuilder::from_moov(body, self.file_len)?);
                Ok(())
            }
        }
    }

    fn go_to(&mut self, position: u64) {
        self.position = position.min(self.file_len);
        let more = self.file_len - self.position >= 8;
        self.state = if more { State::Header } else { State::Done };
    }
}
