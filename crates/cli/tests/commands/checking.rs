//! `headwater check`: what is wrong, where, and what was meant; and a file to begin with.

use crate::place::{Ended, Place};

fn check(place: &Place, text: &str) -> Ended {
    place.write("checked.toml", text);
    place.run(&["check", "-c", "checked.toml"])
}

#[test]
fn a_fresh_directory_has_a_valid_file_after_two_commands() {
    let place = Place::new();
    let missing = place.run(&["check"]);
    assert!(
        !missing.is_good && missing.said.contains("check --print-default > headwater.toml"),
        "{missing:?}"
    );
    let sample = place.run(&["check", "--print-default"]);
    assert!(sample.is_good && sample.said.is_empty(), "{sample:?}");
    // Whoever begins with it is told what each key means.
    for line in
        ["# Where the films are.\nmedia = \"media\"  # start\n", "\n[streams]\n", "\nwait_ms = 60000\n"]
    {
        assert!(sample.out.contains(line), "{}", sample.out);
    }
    place.write("headwater.toml", &sample.out);
    let checked = place.run(&["check"]);
    assert!(checked.is_good && checked.out.starts_with("headwater.toml is valid\n"), "{checked:?}");
    assert!(checked.out.contains("note: media is missing"), "{checked:?}");
    for named in [&["check", "headwater.toml"][..], &["check", "-c", "none.toml", "headwater.toml"]] {
        let checked = place.run(named);
        assert!(checked.is_good && checked.out.starts_with("headwater.toml is valid\n"), "{checked:?}");
    }
    assert_eq!(place.names(), ["headwater.toml"]);
}

#[test]
fn directories_are_looked_at() {
    let place = Place::new();
    place.write("a-file", "");
    for (text, fault) in [
        ("data = \"a-file\"\n", "a-file is a file, and no directory"),
        ("data = \"a-file/below\"\n", "a-file/below cannot be looked at"),
        ("data = \"/proc/self\"\n", "nothing can be written there"),
        ("data = \"/proc/self/below\"\n", "is missing and cannot be made in /proc/self"),
        ("media = \"films\"\n", "the directory of films films is missing"),
        ("media = \"a-file\"\n", "a-file is a file, and no directory"),
        ("[vod]\ndirectories = { courses = \"nowhere\" }\n", "[vod] directories, courses"),
    ] {
        if text.contains("/proc") && !cfg!(target_os = "linux") {
            continue;
        }
        let ended = check(&place, text);
        assert!(!ended.is_good && ended.said.contains(fault), "{text}: {ended:?}");
    }
    let ended = check(&place, "data = \"made/at/the/start\"\nmedia = \".\"\n");
    assert!(ended.is_good && ended.out == "checked.toml is valid\n", "{ended:?}");
    assert!(!place.names().contains(&"made".to_owned()));
}

#[test]
fn an_unknown_word_is_answered_with_what_was_meant_beside_its_line() {
    let place = Place::new();
    for (text, line, meant) in [
        ("[streams]\ngop_cash = true\n", "2 | gop_cash = true", "did you mean `gop_cache`?"),
        ("\n[rmtp]\n", "2 | [rmtp]", "did you mean `rtmp`?"),
        ("[http]\nwait_ms = 5\n", "2 | wait_ms = 5", "it belongs to [streams]"),
        ("[streams]\ntakeover = \"slient\"\n", "2 | takeover", "did you mean `silent`?"),
    ] {
        let ended = check(&place, text);
        assert!(!ended.is_good && ended.said.contains(line) && ended.said.contains(meant), "{ended:?}");
    }
}
