//! What a file is, told by its first bytes: a film that can be read, or what else, and what makes a film of it.
//!
//! One place for all who are handed a file: the library, uploads, `publish` and `probe`.

use std::fmt;

/// So many bytes from the front of a file are always enough for [`Container::recognise`].
pub const RECOGNISED_BYTES: usize = 1024;

/// A container that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// FLV.
    Flv,
    /// MP4, and what is built like it: MOV, M4V, M4A, F4V.
    Mp4,
}

/// A file that is no film here. `Display` is the rest of a sentence about "it", with the mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What it is, after "it is".
    pub what: &'static str,
    mend: Mend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    /// The payloads fit into MP4 as they are.
    Copy,
    /// They have to be coded anew.
    Encode,
    /// It lists or describes films.
    Follow,
    /// It holds a film, perhaps.
    Unpack,
    /// It has to be fetched again.
    Fetch,
    /// No film can come of it.
    Nothing,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match self.mend {
            Mend::Copy => write!(f, "it is {what}; make an MP4 of it: ffmpeg -i FILE -c copy out.mp4"),
            Mend::Encode => write!(f, "it is {what}; make an MP4 of it: ffmpeg -i FILE out.mp4"),
            Mend::Follow => write!(
                f,
                "it is {what}; play what it names: ffmpeg -i FILE -c copy out.mp4 makes one film of that"
            ),
            Mend::Unpack => write!(f, "it is {what}; take the film out of it"),
            Mend::Fetch => write!(f, "it is {what}; fetch the film itself"),
            Mend::Nothing => write!(f, "it is {what} and no film"),
        }
    }
}

impl std::error::Error for Foreign {}

impl Container {
    /// What a file is by its first [`RECOGNISED_BYTES`], or all of a shorter one.
    ///
    /// # Errors
    /// It is something else.
    pub fn recognise(start: &[u8]) -> Result<Self, Foreign> {
        let is_mp4 = start.get(4..8).is_some_and(|kind| FIRST_BOXES.iter().any(|known| *known == kind));
        match start {
            [b'F', b'L', b'V', ..] => Ok(Self::Flv),
            _ if is_mp4 => Ok(Self::Mp4),
            _ => Err(foreign(start)),
        }
    }
}

/// The boxes that MP4 files and their segments start with.
const FIRST_BOXES: [&[u8; 4]; 18] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"sidx", b"moof",
    b"meta", b"prft", b"emsg", b"pdin", b"ssix", b"mfra", b"PICT",
];

/// First bytes, what they begin, and what helps. The first that fits counts.
const SIGNATURES: [(&[u8], &str, Mend); 46] = [
    (b"\x1A\x45\xDF\xA3", "Matroska or WebM", Mend::Copy),
    (b"\0\0\x01\xBA", "an MPEG program stream", Mend::Encode),
    (b"\0\0\x01\xB3", "MPEG-1 or MPEG-2 video without a container", Mend::Encode),
    (b"\0\0\0\x01", "H.264 or H.265 without a container", Mend::Copy),
    (b"\0\0\x01", "video without a container", Mend::Copy),
    (b"OggS", "Ogg", Mend::Encode),
    (b"fLaC", "FLAC without a container", Mend::Copy),
    (b"ID3", "sound behind an ID3 tag, as MP3 files begin", Mend::Copy),
    (b"\x0B\x77", "AC-3 without a container", Mend::Copy),
    (b"\x7F\xFE\x80\x01", "DTS without a container", Mend::Encode),
    (b"#!AMR", "AMR", Mend::Encode),
    (b"caff", "a Core Audio file", Mend::Encode),
    (b".snd", "an AU file", Mend::Encode),
    (b"DKIF", "IVF", Mend::Copy),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media (ASF, WMV, WMA)", Mend::Encode),
    (b".RMF", "RealMedia", Mend::Encode),
    (b"\x06\x0E\x2B\x34", "MXF", Mend::Encode),
    (b"YUV4MPEG2", "pictures that are not coded (Y4M)", Mend::Encode),
    (b"nut/multimedia", "NUT", Mend::Copy),
    (b"FWS", "a Flash program", Mend::Nothing),
    (b"CWS", "a Flash program", Mend::Nothing),
    (b"ZWS", "a Flash program", Mend::Nothing),
    (b"\xFF\xD8\xFF", "a picture (JPEG)", Mend::Nothing),
    (b"\x89PNG", "a picture (PNG)", Mend::Nothing),
    (b"GIF8", "a picture (GIF)", Mend::Encode),
    (b"BM", "a picture (BMP)", Mend::Nothing),
    (b"II*\0", "a picture (TIFF or a camera's raw)", Mend::Nothing),
    (b"MM\0*", "a picture (TIFF or a camera's raw)", Mend::Nothing),
    (b"\0\0\0\x0CjP  ", "a picture (JPEG 2000)", Mend::Nothing),
    (b"\0\0\0\x0CJXL ", "a picture (JPEG XL)", Mend::Nothing),
    (b"PK\x03\x04", "a ZIP archive", Mend::Unpack),
    (b"\x1F\x8B", "compressed by gzip", Mend::Unpack),
    (b"BZh", "compressed by bzip2", Mend::Unpack),
    (b"\xFD7zXZ\0", "compressed by xz", Mend::Unpack),
    (b"\x28\xB5\x2F\xFD", "compressed by zstd", Mend::Unpack),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", Mend::Unpack),
    (b"Rar!", "a RAR archive", Mend::Unpack),
    (b"%PDF", "a document (PDF)", Mend::Nothing),
    (b"\x7FELF", "a program", Mend::Nothing),
    (b"#EXTM3U", "a playlist (M3U, HLS)", Mend::Follow),
    (b"[playlist]", "a playlist (PLS)", Mend::Follow),
    (b"version https://git-lfs", "what Git LFS leaves where a film should be", Mend::Fetch),
    (b"WEBVTT", "subtitles (WebVTT)", Mend::Nothing),
    (b"[Script Info]", "subtitles (ASS)", Mend::Nothing),
    (b"d8:announce", "a torrent, which names films and holds none", Mend::Fetch),
    (b"<!DOCTYPE", "a web page, perhaps an error in place of the film", Mend::Fetch),
];

const UNKNOWN: Foreign = Foreign { what: "neither FLV nor MP4 (MOV, M4V, M4A, F4V)", mend: Mend::Encode };

fn foreign(start: &[u8]) -> Foreign {
    let said = |what, mend| Foreign { what, mend };
    if let Some(found) = riff(start).or_else(|| transport_stream(start)).or_else(|| sound(start)) {
        return found;
    }
    // A mark of the order of bytes, and white space, may stand before text.
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    let begins = |&(signature, ..): &(&[u8], &str, Mend)| {
        start.starts_with(signature)
            || text.get(..signature.len()).is_some_and(|head| head.eq_ignore_ascii_case(signature))
    };
    if let Some(&(_, what, mend)) = SIGNATURES.iter().find(|entry| begins(entry)) {
        return said(what, mend);
    }
    if start.get(257..262) == Some(b"ustar") {
        return said("a tar archive", Mend::Unpack);
    }
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    match text {
        [b'<', ..] if has(b"<MPD") => said("a DASH manifest", Mend::Follow),
        [b'<', ..] if has(b"<tt") => said("subtitles (TTML)", Mend::Nothing),
        [b'<', ..] if has(b"<html") => said("a web page, perhaps an error in place of the film", Mend::Fetch),
        _ if !text.is_empty() && has(b" --> ") => said("subtitles (SubRip)", Mend::Nothing),
        _ if start.len() > 4 && start.iter().all(|&byte| byte == 0) => {
            said("zeros where a film should begin, as of a copy that was not finished", Mend::Fetch)
        }
        _ if is_text(text) => said("text", Mend::Nothing),
        _ => UNKNOWN,
    }
}

/// RIFF and what is built like it.
fn riff(start: &[u8]) -> Option<Foreign> {
    let (form, kind) = (start.get(..4)?, start.get(8..12)?);
    let (what, mend) = match (form, kind) {
        (b"RIFF", b"AVI ") => ("AVI", Mend::Encode),
        (b"RIFF" | b"RF64" | b"BW64", b"WAVE") => ("sound that is not coded (WAV)", Mend::Encode),
        (b"RIFF", b"WEBP") => ("a picture (WebP)", Mend::Nothing),
        (b"FORM", b"AIFF" | b"AIFC") => ("sound that is not coded (AIFF)", Mend::Encode),
        _ => return None,
    };
    Some(Foreign { what, mend })
}

/// A packet of a transport stream every 188 bytes, or 192 on discs.
fn transport_stream(start: &[u8]) -> Option<Foreign> {
    const SYNC: u8 = 0x47;
    let is_cut = |first: usize, len: usize| {
        let mut heads = start.iter().skip(first).step_by(len);
        let count = start.len().saturating_sub(first).div_ceil(len);
        count >= 2 && heads.all(|&byte| byte == SYNC)
    };
    (is_cut(0, 188) || is_cut(4, 192))
        .then_some(Foreign { what: "an MPEG transport stream", mend: Mend::Copy })
}

/// Sound by the sync word of its first frame: ADTS, and MPEG's layers.
fn sound(start: &[u8]) -> Option<Foreign> {
    let &[0xFF, second, third, ..] = start else { return None };
    let what = match second {
        0xF0 | 0xF1 | 0xF8 | 0xF9 if third >> 2 & 0xF < 13 => "AAC without a container (ADTS)",
        0xE0.. if second >> 1 & 3 != 0 && third >> 4 != 0xF && third >> 2 & 3 != 3 => {
            "MP3 (or another layer of MPEG audio) without a container"
        }
        _ => return None,
    };
    Some(Foreign { what, mend: Mend::Copy })
}

/// Whether the bytes are text that people read, as far as they go.
fn is_text(bytes: &[u8]) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A letter may be cut at the end.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    whole.len() > 3 && whole.chars().all(|letter| !letter.is_control() || letter.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(start: &[u8]) -> String {
        match Container::recognise(start) {
            Ok(container) => format!("{container:?}"),
            Err(foreign) => foreign.to_string(),
        }
    }

    #[test]
    fn films_are_known() {
        assert_eq!(Container::recognise(b"FLV\x01\x05\0\0\0\x09"), Ok(Container::Flv));
        for kind in FIRST_BOXES {
            let start = [b"\0\0\0\x08", &kind[..]].concat();
            assert_eq!(Container::recognise(&start), Ok(Container::Mp4));
        }
    }

    #[test]
    fn what_lies_in_the_folders_of_people_is_called_by_its_name() {
        let mut transport = vec![0; 188 * 5];
        transport.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
        let mut disc = vec![0; 192 * 5];
        disc.iter_mut().skip(4).step_by(192).for_each(|byte| *byte = 0x47);
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], &str); 33] = [
            (&transport, "an MPEG transport stream"),
            (&disc, "an MPEG transport stream"),
            (b"\x1A\x45\xDF\xA3\x01\0\0\0", "Matroska or WebM"),
            (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
            (b"RIFF\x10\0\0\0WAVEfmt ", "WAV"),
            (b"OggS\0\x02", "Ogg"),
            (b"ID3\x04\0", "MP3"),
            (&[0xFF, 0xFB, 0x90, 0x64], "MP3"),
            (&[0xFF, 0xFD, 0x84, 0xC4], "another layer"),
            (&[0xFF, 0xF1, 0x50, 0x80], "ADTS"),
            (&[0xFF, 0xD8, 0xFF, 0xE0], "JPEG"),
            (b"\x89PNG\r\n\x1A\n", "PNG"),
            (b"PK\x03\x04", "ZIP"),
            (b"\x1F\x8B\x08", "gzip"),
            (&tar, "tar"),
            (b"\0\0\0\x01\x67\x42", "H.264"),
            (b"\0\0\x01\xBA\x44", "program stream"),
            (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6", "Windows Media"),
            (b"#EXTM3U\n#EXT-X-VERSION:7\n", "playlist"),
            (b"\xEF\xBB\xBF#EXTM3U\r\n", "playlist"),
            (b"<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash\">", "DASH"),
            (b"<?xml version=\"1.0\"?>\n<tt xmlns=\"http://www.w3.org/ns/ttml\">", "TTML"),
            (b"\n<!doctype html><title>404", "web page"),
            (b"<?xml version=\"1.0\"?><html>", "web page"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "Git LFS"),
            (b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\n", "SubRip"),
            (b"WEBVTT\n\n", "WebVTT"),
            (b"Once upon a time", "it is text and no film"),
            ("Größe".as_bytes(), "it is text"),
            (&[0; 512], "zeros"),
            (b"\x7FELF\x02", "a program"),
            (&[0xA5; 512], "neither FLV nor MP4"),
            (b"\0\0", "neither FLV nor MP4"),
        ];
        for (start, what) in cases {
            let sentence = said(start);
            assert!(sentence.contains(what) && sentence.starts_with("it is "), "{sentence:?} is not {what}");
        }
        assert_eq!(
            said(b"\x1A\x45\xDF\xA3"),
            "it is Matroska or WebM; make an MP4 of it: ffmpeg -i FILE -c copy out.mp4"
        );
    }

    #[test]
    fn any_beginning_is_called_something() {
        for second in 0..=255u8 {
            for third in [0, 0x40, 0x47, 0xFF] {
                assert!(said(&[0xFF, second, third, 0, 0]).starts_with("it is "));
                assert!(said(&[second, third]).starts_with("it is "));
            }
        }
    }
}
