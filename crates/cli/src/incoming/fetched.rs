//! What is looked at over HTTP and is no stream of FLV: a film, or the beginning of HLS, fetched into a file that is
//! gone when it was read.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use headwater_media::Timestamp;
use headwater_media::flv::LeftOut;
use headwater_vod::{Item, Reader};
use http_body::Body as _;
use tempfile::NamedTempFile;

use super::http::ask;
use crate::line::{Trust, WAIT_MAX};

/// Bytes that are fetched of a film or of HLS, at most. What is larger is better looked at where it lies.
const FETCHED_BYTES_MAX: u64 = 8 << 30;
/// Bytes of a playlist, at most: a day of seconds.
const PLAYLIST_BYTES_MAX: u64 = 8 << 20;
/// Segments from the end of a live playlist on, where players begin too.
const LIVE_SEGMENTS: usize = 3;
/// Endings of films.
const FILMS: [&str; 5] = [".mp4", ".m4v", ".m4a", ".mov", ".f4v"];

/// Files that were fetched: a film, or one for each playlist.
pub(super) struct Fetched {
    /// What is still to be read, the file that is read now first.
    files: Vec<Reader>,
    duration: Option<Timestamp>,
    left_out: LeftOut,
    /// Removed when this goes.
    _kept: Vec<NamedTempFile>,
}

impl Fetched {
    /// Fetches what an address names; nothing if that is something else.
    ///
    /// # Errors
    /// It cannot be had, or cannot be read.
    pub(super) async fn of(target: &str, trust: &Trust, duration: Duration) -> anyhow::Result<Option<Self>> {
        let path = target.split('?').next().unwrap_or_default().to_lowercase();
        if !path.starts_with("http://") && !path.starts_with("https://") {
            return Ok(None);
        }
        let kept = if path.ends_with(".m3u8") {
            hls(target, trust, duration).await?
        } else if FILMS.iter().any(|ending| path.ends_with(ending)) {
            vec![film(target, trust).await?]
        } else {
            return Ok(None);
        };
        let open = |file: &NamedTempFile| {
            Reader::open(file.path()).map_err(|error| anyhow::anyhow!("{target}: {}", error.root_cause()))
        };
        let files = kept.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
        let duration = files.iter().filter_map(Reader::duration).max();
        Ok(Some(Self { files, duration, left_out: LeftOut::default(), _kept: kept }))
    }

    /// The next item; `None` at the end of the last file.
    pub(super) fn next_item(&mut self) -> anyhow::Result<Option<Item>> {
        while let Some(file) = self.files.first_mut() {
            if let Some(item) = file.next_item()? {
                return Ok(Some(item));
            }
            self.left_out.merge(&file.left_out());
            self.files.remove(0);
        }
        Ok(None)
    }

    /// How long it shows something.
    pub(super) fn duration(&self) -> Option<Timestamp> {
        self.duration
    }

    /// What could not be used of the files that were read.
    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out.clone()
    }
}

async fn film(target: &str, trust: &Trust) -> anyhow::Result<NamedTempFile> {
    let mut kept = Kept::new()?;
    kept.take(target, None, trust).await?;
    kept.finish()
}

/// A file for each playlist of the first variant.
async fn hls(target: &str, trust: &Trust, duration: Duration) -> anyhow::Result<Vec<NamedTempFile>> {
    let text = playlist(target, trust).await?;
    let (mut kept, variant) = (Vec::new(), Variant::first(&text));
    let places = match variant {
        Some(variant) => variant.playlists.iter().map(|place| resolve(target, place)).collect(),
        None => vec![target.to_owned()],
    };
    for place in places {
        let text = if place == target { text.clone() } else { playlist(&place, trust).await? };
        kept.push(segments(&place, &text, trust, duration).await?);
    }
    Ok(kept)
}

async fn playlist(target: &str, trust: &Trust) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    read(target, None, trust, PLAYLIST_BYTES_MAX, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    ensure!(
        text.trim_start_matches('\u{feff}').starts_with("#EXTM3U"),
        "{target}: this is no playlist of HLS"
    );
    Ok(text)
}

/// The beginning of a playlist's media; of a live one, its newest.
async fn segments(
    place: &str,
    text: &str,
    trust: &Trust,
    duration: Duration,
) -> anyhow::Result<NamedTempFile> {
    let playlist = MediaPlaylist::parse(text);
    if let Some(method) = playlist.encrypted {
        bail!("{place}: its segments are encrypted ({method}), and cannot be looked into");
    }
    ensure!(!playlist.segments.is_empty(), "{place}: the playlist names no segment yet");
    let Some(head) = playlist.head else {
        bail!(
            "{place}: its segments are no fragments of MP4, which is all that can be looked into; ffprobe reads others"
        )
    };
    let mut kept = Kept::new()?;
    kept.take(&resolve(place, &head.place), head.range, trust).await?;
    let live = playlist.segments.len().saturating_sub(LIVE_SEGMENTS);
    let mut left = duration.as_secs_f64();
    for segment in &playlist.segments[if playlist.is_over { 0 } else { live }..] {
        if left <= 0.0 {
            break;
        }
        kept.take(&resolve(place, &segment.part.place), segment.part.range, trust).await?;
        left -= segment.seconds;
    }
    kept.finish()
}

/// A file that is being fetched.
struct Kept {
    file: NamedTempFile,
    out: BufWriter<File>,
    room: u64,
}

impl Kept {
    fn new() -> anyhow::Result<Self> {
        let file = NamedTempFile::new().context("there is no room for a temporary file")?;
        let out = BufWriter::new(file.reopen()?);
        Ok(Self { file, out, room: FETCHED_BYTES_MAX })
    }

    /// Appends what a server gives.
    async fn take(&mut self, target: &str, range: Option<(u64, u64)>, trust: &Trust) -> anyhow::Result<()> {
        let out = &mut self.out;
        let write = |piece: &[u8]| out.write_all(piece).context("cannot write to a temporary file");
        self.room -= read(target, range, trust, self.room, write).await?;
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<NamedTempFile> {
        self.out.flush().context("cannot write to a temporary file")?;
        Ok(self.file)
    }
}

/// Reads an answer to its end: how many bytes it has.
async fn read(
    target: &str,
    range: Option<(u64, u64)>,
    trust: &Trust,
    max: u64,
    mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut body = ask(target, range, trust).await?.into_body();
    let mut count = 0;
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = tokio::time::timeout(WAIT_MAX, frame);
        let Some(frame) = frame.await.map_err(|_| anyhow::anyhow!("{target}: nothing comes any more"))?
        else {
            return Ok(count);
        };
        let piece = frame.with_context(|| format!("{target} broke off"))?.into_data().unwrap_or_default();
        count += piece.len() as u64;
        ensure!(count <= max, "{target} is larger than {max} bytes, which is enough to look at");
        each(&piece)?;
    }
}

/// What plays together.
struct Variant {
    playlists: Vec<String>,
}

impl Variant {
    /// The first of a master playlist, and the sound that belongs to it; nothing of any other playlist.
    fn first(text: &str) -> Option<Self> {
        let mut lines =
            text.lines().map(str::trim).skip_while(|line| !line.starts_with("#EXT-X-STREAM-INF:"));
        let about = lines.next()?.split_once(':')?.1;
        let place = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
        let mut playlists = vec![place.to_owned()];
        let group = attribute(about, "AUDIO");
        let media = text.lines().filter_map(|line| line.trim().strip_prefix("#EXT-X-MEDIA:"));
        let is_its = |media: &&str| group.is_some() && attribute(media, "GROUP-ID") == group;
        let sound = media.filter(|media| attribute(media, "TYPE") == Some("AUDIO")).find(is_its);
        playlists.extend(sound.and_then(|sound| attribute(sound, "URI")).map(str::to_owned));
        Some(Self { playlists })
    }
}

/// A place, and a range of it (offset, length).
#[derive(Debug, PartialEq, Eq)]
struct Part {
    place: String,
    range: Option<(u64, u64)>,
}

struct Segment {
    seconds: f64,
    part: Part,
}

#[derive(Default)]
struct MediaPlaylist {
    head: Option<Part>,
    segments: Vec<Segment>,
    is_over: bool,
    encrypted: Option<String>,
}

impl MediaPlaylist {
    fn parse(text: &str) -> Self {
        let (mut playlist, mut seconds, mut range) = (Self::default(), 0.0, None);
        // A range without an offset begins where the one before it has ended.
        let mut after = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(about) = line.strip_prefix("#EXT-X-MAP:") {
                let range = attribute(about, "BYTERANGE").and_then(|range| byte_range(range, 0));
                let place = attribute(about, "URI").unwrap_or_default().to_owned();
                playlist.head.get_or_insert(Part { place, range });
            } else if let Some(about) = line.strip_prefix("#EXTINF:") {
                seconds = about.split(',').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
            } else if let Some(about) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                range = byte_range(about, after);
            } else if let Some(about) = line.strip_prefix("#EXT-X-KEY:") {
                let method = attribute(about, "METHOD").filter(|method| *method != "NONE");
                playlist.encrypted = playlist.encrypted.or_else(|| method.map(str::to_owned));
            } else if line == "#EXT-X-ENDLIST" {
                playlist.is_over = true;
            } else if !line.starts_with('#') {
                after = range.map_or(0, |(offset, length): (u64, u64)| offset.saturating_add(length));
                let part = Part { place: line.to_owned(), range: range.take() };
                playlist.segments.push(Segment { seconds, part });
            }
        }
        playlist
    }
}

/// `length[@offset]`.
fn byte_range(text: &str, after: u64) -> Option<(u64, u64)> {
    let (length, offset) =
        text.split_once('@').map_or((text, None), |(length, offset)| (length, Some(offset)));
    let offset = offset.map_or(Some(after), |offset| offset.trim().parse().ok())?;
    Some((offset, length.trim().parse().ok()?))
}

/// `NAME="value"` or `NAME=value` of a list of attributes.
fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = list;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key.trim() == name {
            return Some(value);
        }
        rest = next.trim_start_matches(',');
    }
}

/// Where `place` leads that stands in what lies at `base`.
fn resolve(base: &str, place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let path_at = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let (host, path) = base.split_at(path_at);
    if let Some(elsewhere) = place.strip_prefix("//") {
        return format!("{}{elsewhere}", &base[..scheme]);
    }
    if place.starts_with('/') {
        return format!("{host}{place}");
    }
    let path = path.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    format!("{host}{folder}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_from_where_they_stand() {
        let base = "http://host:8080/vod/film.mp4/index.m3u8?a=b/c";
        for (place, found) in [
            ("hls/video-0.m3u8", "http://host:8080/vod/film.mp4/hls/video-0.m3u8"),
            ("/other/x.m4s?y", "http://host:8080/other/x.m4s?y"),
            ("//else/x", "http://else/x"),
            ("https://else/x", "https://else/x"),
        ] {
            assert_eq!(resolve(base, place), found);
        }
        assert_eq!(resolve("http://host", "x"), "http://host/x");
    }

    #[test]
    fn a_variant_is_its_pictures_and_the_sound_of_its_group() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"x, y\",URI=\"no.m3u8\"\n\
                    #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"sound.m3u8\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1,mp4a\",AUDIO=\"a\"\nvideo.m3u8\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=2\nother.m3u8\n";
        assert_eq!(Variant::first(text).unwrap().playlists, ["video.m3u8", "sound.m3u8"]);
        assert!(Variant::first("#EXTM3U\n#EXTINF:1,\na.m4s\n").is_none());
    }

    #[test]
    fn a_playlist_is_its_head_its_segments_and_their_ranges() {
        let text = "#EXTM3U\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@0\"\n#EXTINF:2.5,\n\
                    #EXT-X-BYTERANGE:100@700\nall.mp4\n#EXTINF:2,name\n#EXT-X-BYTERANGE:50\nall.mp4\n\
                    #EXTINF:1,\nlast.m4s\n#EXT-X-ENDLIST\n";
        let playlist = MediaPlaylist::parse(text);
        assert_eq!(playlist.head, Some(Part { place: "all.mp4".into(), range: Some((0, 700)) }));
        let ranges: Vec<_> =
            playlist.segments.iter().map(|segment| (segment.seconds, segment.part.range)).collect();
        assert_eq!(ranges, [(2.5, Some((700, 100))), (2.0, Some((800, 50))), (1.0, None)]);
        assert!(playlist.is_over && playlist.encrypted.is_none());
        let live = MediaPlaylist::parse("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1,\na.ts\n");
        assert_eq!((live.is_over, live.head, live.encrypted.as_deref()), (false, None, Some("AES-128")));
    }
}
