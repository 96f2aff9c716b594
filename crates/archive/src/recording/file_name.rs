//! What a recording's file is called: a template filled in, never outside the directory of recordings.

use std::time::SystemTime;

use headwater_hub::StreamName;

use crate::utc;

/// What stands between braces in a template.
const PLACES: [&str; 3] = ["app", "name", "time"];
/// Bytes of one part of a path: what most file systems have, less room for a number and an ending.
const PART_BYTES_MAX: usize = 200;

/// Says what is wrong with a template.
///
/// # Errors
/// A sentence's end.
pub(crate) fn check(template: &str) -> Result<(), String> {
    if template.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("begins or ends with a slash, or has an empty part, \".\" or \"..\" in it".into());
    }
    if template.chars().any(|letter| letter.is_control() || letter == '\\') {
        return Err("has a backslash or a control character in it".into());
    }
    let mut rest = template;
    while let Some((_, behind)) = rest.split_once('{') {
        let Some((place, behind)) = behind.split_once('}') else {
            return Err("has a { without its }".into());
        };
        if !PLACES.contains(&place) {
            return Err(format!("has {{{place}}} in it; there are {{app}}, {{name}} and {{time}}"));
        }
        rest = behind;
    }
    if !template.contains("{time}") {
        return Err("lacks {time}: broadcasts of one name need files of their own".into());
    }
    Ok(())
}

/// The path below the directory of recordings, without its ending; `number` tells files apart that would be called alike.
pub(crate) fn fill(template: &str, stream: &StreamName, began: SystemTime, number: u32) -> String {
    let filled = template
        .replace("{time}", &utc::stamp(began))
        .replace("{app}", &safe(stream.app()))
        .replace("{name}", &safe(stream.name()));
    let parts: Vec<_> = filled.split('/').map(|part| cut(part, PART_BYTES_MAX)).collect();
    let path = parts.join("/");
    if number > 1 { format!("{path}-{number}") } else { path }
}

/// A stream's name as a path: what a file system or an address of a film could misread is replaced. Its parts are none of
/// `.` and `..`, and none is empty (see [`StreamName`]).
fn safe(name: &str) -> String {
    let parts = name.split('/').map(|part| {
        let part: String = part.chars().map(|letter| if forbidden(letter) { '_' } else { letter }).collect();
        let is_hidden = part.starts_with('.');
        // What stands behind a film's name in an address is a part of it.
        let is_film = headwater_vod::is_film(&part);
        match (is_hidden, is_film) {
            (true, _) => format!("_{part}"),
            (_, true) => format!("{part}_"),
            _ => part,
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Signs that Windows does not have in names, and braces, which are the template's.
const fn forbidden(letter: char) -> bool {
    matches!(letter, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '{' | '}')
}

fn cut(part: &str, max: usize) -> &str {
    let end = (0..=max.min(part.len())).rev().find(|&at| part.is_char_boundary(at)).unwrap_or(0);
    &part[..end]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_are_filled_in_and_stay_inside() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
        let fill =
            |template, stream, number| fill(template, &StreamName::parse(stream).unwrap(), time, number);
        let usual = "{app}/{name}/{time}";
        assert_eq!(fill(usual, "live/cam", 1), "live/cam/2000-02-29_00-00-00");
        assert_eq!(fill(usual, "live/cam", 3), "live/cam/2000-02-29_00-00-00-3");
        assert_eq!(fill("{time} {name}", "live/a/b", 1), "2000-02-29_00-00-00 a/b");
        assert_eq!(fill(usual, "live/.hidden/x.mp4", 1), "live/_.hidden/x.mp4_/2000-02-29_00-00-00");
        assert_eq!(fill(usual, "live/c:{app}\u{fc}", 1), "live/c__app_\u{fc}/2000-02-29_00-00-00");
        let long = format!("live/{}", "\u{fc}".repeat(400));
        assert!(fill(usual, &long, 1).split('/').all(|part| part.len() <= PART_BYTES_MAX));
    }

    #[test]
    fn templates_that_lead_outside_or_nowhere_are_refused() {
        for template in ["{app}/{name}/{time}", "{time}", "a b/{name}_{time}"] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
        for template in [
            "",
            "/{time}",
            "../{time}",
            "{time}/",
            "a//{time}",
            "{app}/{name}",
            "{time}{",
            "{date}{time}",
            "a\\{time}",
            "{time}\n",
        ] {
            assert!(check(template).is_err(), "{template:?}");
        }
    }
}
