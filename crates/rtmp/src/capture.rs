//! A recorded conversation: what both sides sent, byte for byte, and when.
//!
//! Sans-I/O: a file's bytes go in, records come out, and the other way. A capture says nothing about what the bytes
//! mean; how a socket happened to cut them is kept.
//!
//! # The file
//!
//! ```text
//! headwater capture 1\n
//! # any number of comment lines: who spoke, in which version, how it was made\n
//! \n
//! then records until the end of the file:
//!   u8   '>' from the client to the server, '<' from the server to the client
//!   u64  big-endian: nanoseconds since the first byte of the conversation
//!   u32  big-endian: how many bytes follow
//!   ...  the bytes
//! ```
//!
//! A record without bytes says that its side has closed its half of the connection.
//!
//! A record that the end of the file cuts short is dropped, so that a capture of a program that was killed can be
//! read.

use bytes::Bytes;

/// The first line, without its end.
const TITLE: &str = "headwater capture 1";
/// A record's bytes before those of the conversation.
const HEAD_BYTES: usize = 13;

/// Who sent a record's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Whoever opened the connection.
    Client,
    /// Whoever accepted it.
    Server,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    const fn mark(self) -> u8 {
        match self {
            Self::Client => b'>',
            Self::Server => b'<',
        }
    }
}

/// Bytes that one side sent, at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who sent them.
    pub side: Side,
    /// Nanoseconds since the first byte of the conversation.
    pub at_ns: u64,
    /// The bytes; none when the side has closed its half of the connection.
    pub bytes: Bytes,
}

/// Why a file is no capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The first line is another.
    #[error("no capture: its first line is not `{TITLE}`")]
    NoCapture,
    /// A line of the head is neither a comment nor empty, or the head does not end.
    #[error("line {0} of the capture's head is neither a comment (`# …`) nor the empty line that ends it")]
    Head(usize),
    /// A record's first byte names no side.
    #[error("the capture's record at byte {at} begins with 0x{mark:02x}, neither `>` nor `<`")]
    Side {
        /// Where the record begins in the file.
        at: usize,
        /// Its first byte.
        mark: u8,
    },
}

/// Reads a capture: the comments first, then record after record.
#[derive(Clone, Debug)]
pub struct Reader {
    comments: Vec<String>,
    file: Bytes,
    position: usize,
}

impl Reader {
    /// Reads the head of a whole file. Its records share the file's bytes.
    ///
    /// # Errors
    /// When it is no capture.
    pub fn new(file: impl Into<Bytes>) -> Result<Self, CaptureError> {
        let file = file.into();
        let mut position = 0;
        let mut comments = Vec::new();
        for number in 1.. {
            let fault = if number == 1 { CaptureError::NoCapture } else { CaptureError::Head(number) };
            let rest = file.get(position..).unwrap_or_default();
            let Some(length) = rest.iter().position(|&byte| byte == b'\n') else { return Err(fault) };
            let line = rest.get(..length).unwrap_or_default();
            position += length + 1;
            match line {
                [] if number > 1 => break,
                [b'#', text @ ..] if number > 1 => {
                    comments.push(String::from_utf8_lossy(text).trim_start().to_owned());
                }
                title if number == 1 && title == TITLE.as_bytes() => {}
                _ => return Err(fault),
            }
        }
        Ok(Self { comments, file, position })
    }

    /// The comments of the head, without their marks.
    #[must_use]
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    fn record(&mut self) -> Result<Option<Record>, CaptureError> {
        let at = self.position;
        let Some(head) = self.file.get(at..).and_then(|rest| rest.first_chunk::<HEAD_BYTES>()) else {
            return Ok(None);
        };
        let &[mark, t7, t6, t5, t4, t3, t2, t1, t0, l3, l2, l1, l0] = head;
        let side = match mark {
            b'>' => Side::Client,
            b'<' => Side::Server,
            mark => return Err(CaptureError::Side { at, mark }),
        };
        let start = at + HEAD_BYTES;
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let Some(end) = start.checked_add(length).filter(|&end| end <= self.file.len()) else {
            return Ok(None);
        };
        self.position = end;
        let at_ns = u64::from_be_bytes([t7, t6, t5, t4, t3, t2, t1, t0]);
        Ok(Some(Record { side, at_ns, bytes: self.file.slice(start..end) }))
    }
}

impl Iterator for Reader {
    type Item = Result<Record, CaptureError>;

    /// The next record; `None` at the end, and at a record that the end of the file cuts short. Nothing comes after
    /// an error.
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record().transpose();
        if !matches!(record, Some(Ok(_))) {
            self.position = self.file.len();
        }
        record
    }
}

/// The head of a capture. Line breaks inside a comment become comment lines of their own.
#[must_use]
pub fn head<'a>(comments: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut head = format!("{TITLE}\n");
    for line in comments.into_iter().flat_map(str::lines) {
        head += &format!("# {line}\n");
    }
    head.push('\n');
    head.into_bytes()
}

/// Appends a record of at most 2^32 - 1 bytes, which no read of a socket exceeds; what is beyond is left out. No
/// bytes: the side has closed its half.
pub fn put_record(out: &mut Vec<u8>, side: Side, at_ns: u64, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.push(side.mark());
    out.extend_from_slice(&at_ns.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes.get(..length as usize).unwrap_or(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut file = head(["made by a test", "in two\nlines"]);
        put_record(&mut file, Side::Client, 0, b"\x03abc");
        put_record(&mut file, Side::Server, 1_500_000, b"");
        put_record(&mut file, Side::Server, u64::MAX, &[b'\n'; 300]);
        file
    }

    fn records(file: Vec<u8>) -> Vec<Result<Record, CaptureError>> {
        Reader::new(file).unwrap().collect()
    }

    #[test]
    fn the_bytes_of_a_capture() {
        let mut file = head(["x"]);
        put_record(&mut file, Side::Server, 0x0102, b"ab");
        assert_eq!(file, b"headwater capture 1\n# x\n\n<\0\0\0\0\0\0\x01\x02\0\0\0\x02ab");
    }

    #[test]
    fn there_and_back() {
        let reader = Reader::new(sample()).unwrap();
        assert_eq!(reader.comments(), ["made by a test", "in two", "lines"]);
        let records: Vec<_> = reader.map(Result::unwrap).collect();
        let lengths: Vec<_> = records.iter().map(|record| (record.side, record.bytes.len())).collect();
        assert_eq!(lengths, [(Side::Client, 4), (Side::Server, 0), (Side::Server, 300)]);
        assert_eq!(records[2].at_ns, u64::MAX);
    }

    #[test]
    fn a_record_cut_short_is_dropped() {
        let whole = records(sample());
        let start = head(["made by a test", "in two\nlines"]).len();
        for end in start..sample().len() {
            let got = records(sample()[..end].to_vec());
            assert!(got.len() < whole.len() && got[..] == whole[..got.len()], "cut at {end}");
        }
    }

    #[test]
    fn what_is_no_capture_is_told() {
        let fault = |file: &[u8]| Reader::new(file.to_vec()).unwrap_err();
        assert_eq!(fault(b""), CaptureError::NoCapture);
        assert_eq!(fault(b"headwater capture 2\n\n"), CaptureError::NoCapture);
        assert_eq!(fault(b"headwater capture 1\n# no end"), CaptureError::Head(2));
        assert_eq!(fault(b"headwater capture 1\n>\n"), CaptureError::Head(2));
        let mut file = sample();
        file.push(b'x');
        file.extend([0; 20]);
        let at = sample().len();
        assert_eq!(records(file).last(), Some(&Err(CaptureError::Side { at, mark: b'x' })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_told(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut file = head([]);
            file.extend(&bytes);
            let read: Vec<_> = Reader::new(file).unwrap().collect();
            prop_assert!(read.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
