//! Names that are taken and names that are refused.

use super::*;

#[test]
fn names_come_apart_where_they_were_joined() {
    let name = StreamName::new("live/eu", "räum 1/cam").unwrap();
    assert_eq!((name.app(), name.name(), name.path()), ("live/eu", "räum 1/cam", "live/eu/räum 1/cam"));
}

#[test]
fn what_could_leave_its_directory_is_refused() {
    for bad in ["live/..", "live/a/../b", "live/./a", "live//a", "../a", "live/a/", "live/\0", "live/a\nb"] {
        assert!(StreamName::parse(bad).is_err(), "{bad:?} was accepted");
    }
    assert_eq!(StreamName::parse("live"), Err(InvalidName::Empty("name")));
    assert_eq!(StreamName::new("", "a"), Err(InvalidName::Empty("app")));
}

#[test]
fn what_could_disguise_a_name_is_refused() {
    assert_eq!(StreamName::parse("live/a\u{202e}b"), Err(InvalidName::Control(0x202E, 6)));
    assert!(StreamName::parse("live/a\u{2028}b").is_err() && StreamName::parse("live/a\u{2067}b").is_err());
    assert!(StreamName::parse("live/می\u{200c}خواهم").is_ok(), "a joiner is a letter's shape");
}

#[test]
fn the_length_limit_holds_at_its_edge() {
    assert!(StreamName::new("live", &"x".repeat(1024 - 5)).is_ok());
    assert_eq!(StreamName::new("live", &"x".repeat(1024 - 4)), Err(InvalidName::TooLong(1025)));
}
