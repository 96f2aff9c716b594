//! Manual pages and completions.

use std::fs;

use crate::place::Place;

const COMMANDS: [&str; 8] = ["serve", "demo", "publish", "play", "probe", "trace", "check", "bench"];

#[test]
fn there_is_a_manual_page_for_the_program_and_each_command() {
    let place = Place::new();
    let ended = place.run(&["man", "share/man1"]);
    assert!(ended.is_good, "{ended:?}");
    let page = |name: &str| fs::read_to_string(place.file("share/man1").join(name)).unwrap();
    assert!(page("headwater.1").contains(".TH headwater 1"));
    for command in COMMANDS {
        assert!(page("headwater.1").contains(&format!("headwater\\-{command}(1)")), "{command}");
        assert!(page(&format!("headwater-{command}.1")).contains(".SH OPTIONS"), "{command}");
    }
    assert!(page("headwater-serve.1").contains("HEADWATER_RTMP"));
    assert!(!place.file("share/man1/headwater-bench-loop.1").exists(), "a hidden command is shown");
    let ended = place.run(&["man", "/proc/self/man"]);
    assert!(
        !ended.is_good && ended.said.contains("cannot write the manual pages to /proc/self/man"),
        "{ended:?}"
    );
}

#[test]
fn every_shell_completes_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.run(&["completions", shell]);
        assert!(ended.is_good && ended.said.is_empty(), "{ended:?}");
        for word in COMMANDS.iter().chain(&["duration"]) {
            assert!(ended.out.contains(word), "{shell} does not know {word}");
        }
    }
    let ended = place.run(&["completions", "cmd"]);
    assert!(!ended.is_good && ended.said.contains("bash"), "{ended:?}");
}
