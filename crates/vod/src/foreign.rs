//! Files of other containers among the films: they are not played, so it is said what they are and how ffmpeg makes a film
//! of one. By the ending alone; what is inside decides ffmpeg.

/// What is done to a file of another container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    /// Its tracks fit into MP4 as they are, as a rule.
    Repack,
    /// Its pictures and sound are of kinds that no browser plays.
    Encode,
    /// It is sound that MP4 takes as it is.
    RepackSound,
    /// It is sound that has to be encoded.
    EncodeSound,
}

/// Endings, what they stand for, and what is done about it.
const FOREIGN: [(&[&str], &str, Mend); 12] = [
    (&["mkv", "mk3d"], "Matroska", Mend::Repack),
    (&["webm"], "WebM", Mend::Repack),
    (&["ts", "m2ts", "mts"], "MPEG-TS", Mend::Repack),
    (&["3gp", "3g2"], "3GPP", Mend::Repack),
    (&["avi"], "AVI", Mend::Encode),
    (&["mpg", "mpeg", "vob"], "MPEG-PS", Mend::Encode),
    (&["wmv", "asf"], "Windows Media", Mend::Encode),
    (&["ogv", "ogg"], "Ogg", Mend::Encode),
    (&["mp3"], "MP3", Mend::RepackSound),
    (&["flac"], "FLAC", Mend::RepackSound),
    (&["opus", "oga"], "Ogg", Mend::EncodeSound),
    (&["wav", "aac", "wma"], "", Mend::EncodeSound),
];

/// A file that is no film, and what makes one of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// What kind of file it is: `Matroska`.
    pub container: String,
    /// The line that makes a film of it, beside it, to be typed where the file lies.
    pub command: String,
    /// The path of that film.
    pub film: String,
}

impl Foreign {
    /// What a file of that name is, if it is one of these. `name` may have directories in front.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (stem, ending) = name.rsplit_once('.')?;
        let known =
            FOREIGN.iter().find(|(endings, ..)| endings.iter().any(|it| it.eq_ignore_ascii_case(ending)));
        let (_, container, mend) = known?;
        let container =
            if container.is_empty() { ending.to_ascii_uppercase() } else { (*container).to_owned() };
        let path = stem;
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        let name = name.rsplit('/').next().unwrap_or(name);
        let (how, to) = match mend {
            Mend::Repack => ("-map 0:v? -map 0:a? -c copy -movflags +faststart", "mp4"),
            Mend::Encode => ("-c:v libx264 -pix_fmt yuv420p -c:a aac -movflags +faststart", "mp4"),
            Mend::RepackSound => ("-map 0:a -c copy -movflags +faststart", "mp4"),
            Mend::EncodeSound => ("-map 0:a -c:a aac -movflags +faststart", "m4a"),
        };
        let command = format!("ffmpeg -i {} {how} {}", quoted(name), quoted(&format!("{stem}.{to}")));
        Some(Self { container, command, film: format!("{path}.{to}") })
    }

    /// Why a file of that name is not played, and what mends it, as a sentence.
    #[must_use]
    pub fn sentence(&self, name: &str) -> String {
        format!(
            "{name} is a file of {}, which is not played as it is. A film of it makes: {}",
            self.container, self.command
        )
    }
}

/// A file's name as a shell and ffmpeg take it. One that begins with a dash would be an option, and with a colon in it a
/// protocol.
fn quoted(name: &str) -> String {
    let is_risky = name.starts_with('-') || name.contains(':');
    let name = format!("{}{name}", if is_risky { "./" } else { "" });
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/+@,".contains(letter);
    if name.chars().all(is_plain) { name } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str) -> String {
        Foreign::of(name).unwrap().command
    }

    #[test]
    fn every_kind_has_a_name_and_a_line() {
        for (endings, ..) in FOREIGN {
            for ending in endings {
                let foreign = Foreign::of(&format!("a/film.{}", ending.to_uppercase())).unwrap();
                assert!(!foreign.container.is_empty());
                assert!(foreign.command.starts_with(&format!("ffmpeg -i film.{} ", ending.to_uppercase())));
                assert!(foreign.command.ends_with(" film.mp4") || foreign.command.ends_with(" film.m4a"));
                assert!(foreign.sentence("x").ends_with(&foreign.command));
            }
        }
        for other in ["film.mp4", "film.m4a", "film.flv", "film.vtt", "mkv", "film.mkv.txt", "film.", ""] {
            assert_eq!(Foreign::of(other), None, "{other}");
        }
        assert_eq!(Foreign::of("a.wav").unwrap().container, "WAV");
        assert_eq!(Foreign::of("a/b.c/d.mkv").unwrap().film, "a/b.c/d.mp4");
    }

    #[test]
    fn names_are_safe_to_paste() {
        assert!(command("it's here.mkv").contains("-i 'it'\\''s here.mkv' "));
        assert!(command("$(rm -rf x).webm").contains("'$(rm -rf x).mp4'"));
        assert!(command("-y.mkv").contains("-i ./-y.mkv ") && command("-y.mkv").ends_with(" ./-y.mp4"));
        assert!(command("concat:a.mkv").contains("-i './concat:a.mkv' "));
        assert!(command("é.mkv").ends_with(" 'é.mp4'"));
    }
}
