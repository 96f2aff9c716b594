//! A film's address taken apart: `film.mp4` is the file; what stands behind a film's name and a slash is made of it.

use headwater_vod::is_film;

/// A film's address taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilmAddress<'a> {
    pub(super) app: &'a str,
    /// The film's name, or the whole path where nothing stands behind it.
    pub(super) film: &'a str,
    /// What of it, as in `index.m3u8`; empty for the file itself.
    pub(super) part: &'a str,
}

impl<'a> FilmAddress<'a> {
    /// Takes a decoded path below an app apart: the film is the first part with a film's extension that has
    /// something behind it.
    pub(super) fn parse(app: &'a str, path: &'a str) -> Self {
        let mut slashes = path.match_indices('/').map(|(at, _)| at);
        let cut = slashes.find(|&at| is_film(&path[..at]));
        let (film, part) = cut.map_or((path, ""), |at| (&path[..at], &path[at + 1..]));
        Self { app, film, part }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> (&str, &str) {
        let address = FilmAddress::parse("vod", path);
        (address.film, address.part)
    }

    #[test]
    fn what_stands_behind_a_film_is_made_of_it() {
        assert_eq!(parse("film.mp4"), ("film.mp4", ""));
        assert_eq!(parse("a/b/film.mp4/index.m3u8"), ("a/b/film.mp4", "index.m3u8"));
        assert_eq!(parse("film.mp4/hls/video-0/1.m4s"), ("film.mp4", "hls/video-0/1.m4s"));
        assert_eq!(parse("old.mp4/new.mp4/index.m3u8"), ("old.mp4", "new.mp4/index.m3u8"));
        assert_eq!(parse("a/film"), ("a/film", ""));
    }
}
