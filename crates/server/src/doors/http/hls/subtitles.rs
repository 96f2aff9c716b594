//! Text files beside a film, and tracks of text inside it, as WebVTT of HLS.

use std::io;

use headwater_media::Timestamp;
use headwater_media::plain_text::{self, Encoding};
use headwater_vod::{Film, Library, Refusal, RefusalKind, TEXT_BYTES_MAX};

/// A text of a film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subtitle {
    /// A file beside it, by its path.
    Beside(String),
    /// A track inside it, by its place among the film's texts.
    Inside(usize),
}

/// The texts of a film: those beside it first.
pub(super) fn all(beside: Vec<String>, film: &Film) -> Vec<Subtitle> {
    let inside = (0..film.index().texts().len()).map(Subtitle::Inside);
    beside.into_iter().map(Subtitle::Beside).chain(inside).collect()
}

/// A text of a film as WebVTT or SubRip.
pub(super) async fn read(
    library: &Library,
    app: &str,
    film: &Film,
    subtitle: &Subtitle,
) -> Result<String, Refusal> {
    match subtitle {
        Subtitle::Inside(number) => film.text(*number).await,
        Subtitle::Beside(path) => {
            let (language, _) = naming(film.name(), path);
            read_beside(library, app, path, language.as_deref()).await
        }
    }
}

/// Reads a text file beside a film. Where its encoding cannot be told, what is not ASCII is lost, and that is said.
async fn read_beside(
    library: &Library,
    app: &str,
    path: &str,
    language: Option<&str>,
) -> Result<String, Refusal> {
    let text = library.file(app, path).await?;
    let bytes = text.size();
    if bytes > TEXT_BYTES_MAX {
        return Err(Refusal::new(
            RefusalKind::NoMedia,
            format!("{path} has {bytes} bytes, more than the {TEXT_BYTES_MAX} that subtitles may have."),
        ));
    }
    let failed =
        |error: io::Error| Refusal::new(RefusalKind::Failed, format!("{path} cannot be read: {error}."));
    let bytes = text.read_at(0..bytes).await.map_err(failed)?;
    let (text, encoding) = plain_text::decode(&bytes, language);
    if encoding == Encoding::Unknown {
        tracing::warn!(text = path, "is neither UTF-8 nor UTF-16, so letters are missing; save it as UTF-8");
    }
    Ok(text)
}

/// WebVTT (or SubRip) as a segment: its times are those of the film, which HLS is told by `X-TIMESTAMP-MAP`
/// (RFC 8216, 3.5). `origin` is the film's time at which the presentation begins.
pub(super) fn to_segment(text: &str, origin: Timestamp) -> String {
    let text = text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n").replace('\r', "\n");
    let begins = (Timestamp::ZERO - origin).max(Timestamp::ZERO).to_ticks(90_000);
    let map = format!("X-TIMESTAMP-MAP=MPEGTS:{begins},LOCAL:00:00:00.000\n");
    match text.strip_prefix("WEBVTT") {
        Some(rest) => {
            let (title, cues) = rest.split_once('\n').unwrap_or((rest, ""));
            let lines = cues.split_inclusive('\n').filter(|line| !line.starts_with("X-TIMESTAMP-MAP"));
            format!("WEBVTT{title}\n{map}{}", lines.collect::<String>())
        }
        None => format!("WEBVTT\n{map}\n{}", text.split_inclusive('\n').map(with_points).collect::<String>()),
    }
}

/// SubRip parts seconds from milliseconds by a comma.
fn with_points(line: &str) -> String {
    if line.contains(" --> ") { line.replace(',', ".") } else { line.to_owned() }
}

/// The language that a text's name says, and what people are shown: `film.en.vtt` is `en`.
pub(super) fn naming(film: &str, path: &str) -> (Option<String>, String) {
    let stem = film.rsplit_once('.').map_or(film, |(stem, _)| stem);
    let middle =
        path.strip_prefix(stem).and_then(|rest| rest.rsplit_once('.')).map_or("", |(middle, _)| middle);
    let middle = middle.trim_matches('.');
    let is_language = (2..=11).contains(&middle.len())
        && middle
            .split('-')
            .all(|tag| (2..=4).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    let name = if middle.is_empty() { "Subtitles".to_owned() } else { middle.to_owned() };
    (is_language.then(|| middle.to_owned()), name)
}

/// The language of a text, and what people are shown.
pub(super) fn name_of(film: &Film, subtitle: &Subtitle) -> (Option<String>, String) {
    match subtitle {
        Subtitle::Beside(path) => naming(film.name(), path),
        Subtitle::Inside(number) => {
            let track = film.index().texts().get(*number);
            let language = track.and_then(|track| track.language.as_deref()).map(short_language);
            let name = language.clone().unwrap_or_else(|| format!("Subtitles {}", number + 1));
            (language, name)
        }
    }
}

/// Two letters where BCP 47 has them for the three of ISO 639-2.
pub(in crate::doors::http) fn short_language(letters: &str) -> String {
    const SHORT: [(&str, &str); 28] = [
        ("ara", "ar"),
        ("ces", "cs"),
        ("chi", "zh"),
        ("cze", "cs"),
        ("dan", "da"),
        ("deu", "de"),
        ("dut", "nl"),
        ("ell", "el"),
        ("eng", "en"),
        ("fin", "fi"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("ger", "de"),
        ("gre", "el"),
        ("hin", "hi"),
        ("hun", "hu"),
        ("ita", "it"),
        ("jpn", "ja"),
        ("kor", "ko"),
        ("nld", "nl"),
        ("nor", "no"),
        ("pol", "pl"),
        ("por", "pt"),
        ("rus", "ru"),
        ("spa", "es"),
        ("swe", "sv"),
        ("tur", "tr"),
        ("zho", "zh"),
    ];
    let short = SHORT.iter().find(|(long, _)| *long == letters).map(|(_, short)| *short);
    short.unwrap_or(letters).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_when_it_begins() {
        let cue = "00:00:01.000 --> 00:00:02.000\nHello, you\n";
        let segment = to_segment(&format!("\u{FEFF}WEBVTT - title\r\n\r\n{cue}"), Timestamp::from_ms(-20));
        assert_eq!(
            segment,
            format!("WEBVTT - title\nX-TIMESTAMP-MAP=MPEGTS:1800,LOCAL:00:00:00.000\n\n{cue}")
        );
        let again = to_segment(&segment, Timestamp::ZERO);
        assert_eq!(again.matches("X-TIMESTAMP-MAP").count(), 1);
        let subrip = "1\n00:00:01,000 --> 00:00:02,000\nHello, you\n";
        let expected = format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n1\n{cue}");
        assert_eq!(to_segment(subrip, Timestamp::ZERO), expected);
    }

    #[test]
    fn a_name_says_the_language() {
        let naming = |path| naming("a/film.mp4", path);
        assert_eq!(naming("a/film.en.vtt"), (Some("en".to_owned()), "en".to_owned()));
        assert_eq!(naming("a/film.pt-BR.srt"), (Some("pt-BR".to_owned()), "pt-BR".to_owned()));
        assert_eq!(naming("a/film.vtt"), (None, "Subtitles".to_owned()));
        assert_eq!(naming("a/film.director's cut.vtt"), (None, "director's cut".to_owned()));
        assert_eq!((short_language("ger"), short_language("haw")), ("de".to_owned(), "haw".to_owned()));
    }
}
