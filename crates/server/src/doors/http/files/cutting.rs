//! Pseudo-streaming: what the query of a film's address asks for, and the file that is made for it.
//!
//! `start` and `end` are seconds. Flash players that were made for nginx and lighttpd send the byte of a keyframe in
//! their place when the film is FLV, also as `pos`, and keep the index that they had from the whole file.

use std::hash::{DefaultHasher, Hash, Hasher};

use headwater_media::cut::{Cut, Span};
use headwater_media::flv::{Dialect, TAG_HEAD_LEN, keyframe_index, parse_on_metadata};
use headwater_media::index::Index;
use headwater_media::{MediaKind, Timestamp};

use crate::doors::http::query::Query;
use crate::track_selection::TrackSelection;
use headwater_vod::{Film, Refusal, RefusalKind};

/// What stands between the start of a tag and its payload at most, beside the tag's own head.
const BODY_HEAD_LEN_MAX: u64 = 24;

/// A container that films are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::doors::http) enum Container {
    Mp4,
    Flv,
}

impl Container {
    /// The one that a path's extension names; none that a film is written in for others.
    pub(in crate::doors::http) fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        let is_one_of = |known: &[&str]| known.iter().any(|known| extension.eq_ignore_ascii_case(known));
        if is_one_of(&["mp4", "m4v", "f4v", "mov", "m4a"]) {
            return Some(Self::Mp4);
        }
        is_one_of(&["flv"]).then_some(Self::Flv)
    }

    pub(in crate::doors::http) const fn content_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Flv => "video/x-flv",
        }
    }
}

/// What a query asks for, before the film is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CutRequest {
    start: Option<Number>,
    /// Only ever a place in a file.
    position: Option<u64>,
    end_ms: Option<i64>,
    selection: TrackSelection,
}

/// A `start`: seconds, or a whole number that may be a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Number {
    ms: i64,
    whole: Option<u64>,
}

impl CutRequest {
    /// Reads a query.
    ///
    /// # Errors
    /// A sentence about a value that is no place.
    pub(super) fn read(query: Query<'_>) -> Result<Self, String> {
        let mut asked = Self { selection: TrackSelection::read(query.pairs()), ..Self::default() };
        for (key, value) in query.pairs().filter(|(_, value)| !value.is_empty()) {
            let seconds = || {
                let wrong = || format!("{key} is a number of seconds from 0 on, like 12.5, and not {value}.");
                Number::read(value).ok_or_else(wrong)
            };
            match key {
                "start" => asked.start = Some(seconds()?),
                "end" => asked.end_ms = Some(seconds()?.ms),
                "pos" => {
                    let wrong =
                        |_| format!("{key} is a byte of the film from 0 on, like 1834551, and not {value}.");
                    asked.position = Some(value.parse().map_err(wrong)?);
                }
                _ => {}
            }
        }
        Ok(asked)
    }

    /// Whether it is for a part of the film.
    pub(super) const fn is_part(&self) -> bool {
        self.start.is_some() || self.end_ms.is_some() || self.position.is_some()
    }
}

impl Number {
    /// Seconds with a fraction, not negative, and not beyond what a film can last.
    fn read(value: &str) -> Option<Self> {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let seconds: f64 = value.parse().ok().filter(|_| is_plain)?;
        let ms = (seconds * 1000.0).round();
        (ms < 9.0e15).then(|| Self { ms: ms as i64, whole: value.parse().ok() })
    }
}

/// Makes the file; takes time with long films.
///
/// # Errors
/// Why the film cannot be had so.
pub(super) fn make(film: &Film, container: Container, asked: &CutRequest) -> Result<Cut, Refusal> {
    let index = film.index();
    match container {
        Container::Mp4 => Cut::mp4(index, span(index, asked)?),
        Container::Flv => match place(film, asked)? {
            Some(position) => return tail(film, asked, position),
            None => Cut::flv(index, span(index, asked)?, asked.selection.apply(Dialect::PLAIN)),
        },
    }
    .map_err(|error| refusal(film, &error))
}

fn refusal(film: &Film, error: &headwater_media::Error) -> Refusal {
    Refusal::new(RefusalKind::NoMedia, format!("{} cannot be had so: {error}.", film.name()))
}

/// Seconds of the query as times of the index.
fn span(index: &Index, asked: &CutRequest) -> Result<Span, Refusal> {
    let end = index.duration();
    let from = asked.start.map(|start| Timestamp::from_ms(start.ms));
    let until = asked.end_ms.map(Timestamp::from_ms);
    if until.is_some_and(|until| until <= from.unwrap_or_default()) {
        return Err(Refusal::new(RefusalKind::Invalid, "The end asked for is not behind the start."));
    }
    if from.is_some_and(|from| from >= end) {
        let lasts = end.as_seconds();
        return Err(Refusal::new(
            RefusalKind::NotFound,
            format!("The film ends after {lasts:.3} s, before the start asked for."),
        ));
    }
    Ok(Span { from, until })
}

/// The byte of an FLV file that is asked for, if it is one and no second: `pos`, or a number that is exactly where a
/// keyframe's tag begins, as players were told it.
fn place(film: &Film, asked: &CutRequest) -> Result<Option<u64>, Refusal> {
    if let Some(position) = asked.position {
        return Ok(Some(position));
    }
    let Some(Number { whole: Some(number), .. }) = asked.start else { return Ok(None) };
    if number == 0 {
        return Ok(None);
    }
    let found = keyframe_at(film, asked, number)?;
    Ok(found.filter(|(_, exact)| *exact).map(|_| number))
}

/// The film from the keyframe at or before a byte of the whole FLV file on.
fn tail(film: &Film, asked: &CutRequest, position: u64) -> Result<Cut, Refusal> {
    let index = film.index();
    let Some((number, _)) = keyframe_at(film, asked, position)? else {
        return Err(Refusal::new(RefusalKind::NotFound, format!("{} has no keyframe.", film.name())));
    };
    // An FLV file is sent as it lies, with the times that its own clock gave.
    let origin = if is_flv(film) { Timestamp::ZERO - index.clock() } else { index.origin() };
    let cut = Cut::flv_tail(index, number, origin, asked.selection.apply(Dialect::PLAIN));
    cut.map_err(|error| refusal(film, &error))
}

fn is_flv(film: &Film) -> bool {
    Container::of(film.name()) == Some(Container::Flv)
}

/// The number of the keyframe whose tag is at a byte of the whole FLV file, and whether it is there exactly; if not,
/// of the one before.
fn keyframe_at(film: &Film, asked: &CutRequest, position: u64) -> Result<Option<(usize, bool)>, Refusal> {
    let index = film.index();
    if !is_flv(film) {
        let whole = Cut::flv(index, Span::default(), asked.selection.apply(Dialect::PLAIN));
        return Ok(whole.map_err(|error| refusal(film, &error))?.keyframe_at(index, position));
    }
    let has_video = index.tracks().iter().any(|track| track.track.id.kind == MediaKind::Video);
    let is_video = |track: u8| {
        index.tracks().get(usize::from(track)).is_some_and(|track| track.track.id.kind == MediaKind::Video)
    };
    let payload = position.saturating_add(TAG_HEAD_LEN as u64);
    let payloads = payload..=payload.saturating_add(BODY_HEAD_LEN_MAX);
    let keyframes = index
        .samples()
        .iter()
        .enumerate()
        .filter(|(_, sample)| sample.key && is_video(sample.track) == has_video);
    // Where a configuration stands before its keyframe, files name the place of that.
    if is_told(index, position)
        && let Some((number, _)) = keyframes.clone().find(|(_, sample)| sample.offset > position)
    {
        return Ok(Some((number, true)));
    }
    let mut best: Option<(usize, u64)> = None;
    let mut first = None;
    for (number, sample) in keyframes {
        first.get_or_insert(number);
        if sample.offset <= *payloads.end() && best.is_none_or(|(_, offset)| offset < sample.offset) {
            best = Some((number, sample.offset));
        }
    }
    let found = best.map(|(number, offset)| (number, payloads.contains(&offset)));
    Ok(found.or_else(|| first.map(|number| (number, false))))
}

/// Whether an FLV file's own description says that a keyframe is at this byte.
fn is_told(index: &Index, position: u64) -> bool {
    let about = index.metadata().and_then(|metadata| parse_on_metadata(metadata));
    let told = about.and_then(|about| keyframe_index(&about)).unwrap_or_default();
    told.iter().any(|(_, at)| *at == position)
}

/// The file of a film that is asked for by a name that no file has, in another container: `film.flv` of `film.mp4`.
pub(super) fn stem(path: &str) -> Option<(&str, Container)> {
    let container = Container::of(path)?;
    let (stem, _) = path.rsplit_once('.')?;
    Some((stem, container))
}

/// The entity tag of what is made of a film: `asked` is all that it depends on beside the film and the container.
pub(in crate::doors::http) fn tag(film: &Film, container: Container, asked: &impl Hash) -> String {
    /// Grows when other bytes are made of the same film.
    const WRITER: u32 = 4;
    let mut hasher = DefaultHasher::new();
    (WRITER, env!("CARGO_PKG_VERSION"), container, asked).hash(&mut hasher);
    format!("{}-{:x}\"", film.etag().trim_end_matches('"'), hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_seconds_and_places() {
        let asked = CutRequest::read(Query::new("start=12.5&end=20&audio=1&x")).unwrap();
        assert_eq!(asked.start, Some(Number { ms: 12_500, whole: None }));
        assert_eq!((asked.end_ms, asked.is_part()), (Some(20_000), true));
        assert_eq!(
            CutRequest::read(Query::new("start=93")).unwrap().start,
            Some(Number { ms: 93_000, whole: Some(93) })
        );
        assert_eq!(CutRequest::read(Query::new("pos=123456")).unwrap().position, Some(123_456));
        assert!(!CutRequest::read(Query::new("download&start=&audio=1")).unwrap().is_part());
        for wrong in [
            "start=-1",
            "start=abc",
            "start=1e5",
            "end=nan",
            "pos=1.5",
            "start=99999999999999999999",
            "start=.",
        ] {
            assert!(CutRequest::read(Query::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_names_a_container() {
        assert_eq!(stem("a/film.FLV"), Some(("a/film", Container::Flv)));
        assert_eq!(stem("film.f4v"), Some(("film", Container::Mp4)));
        assert_eq!(stem("film.vtt"), None);
        assert_eq!(stem("film"), None);
    }
}
