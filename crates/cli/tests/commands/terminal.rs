//! What is drawn on a terminal, seen through `script`, which gives a program one.

use std::process::Command;
use std::time::Duration;

use crate::place::{Place, Server, flv_in_pieces};

/// What a shell's command draws on a terminal; nothing where there is no `script`.
fn drawn(place: &Place, command: &str) -> Option<String> {
    let mut script = Command::new("script");
    script
        .args(["-qefc", command, "/dev/null"])
        .current_dir(&place.0)
        .env("TERM", "xterm")
        .env("COLUMNS", "120");
    match script.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            let text = "SKIPPED: needs script (apt-get install bsdutils)";
            assert!(std::env::var("HEADWATER_CLIENTS").as_deref() != Ok("require"), "{text}: {error}");
            println!("{text}");
            None
        }
    }
}

/// A tag of FLV that begins at 0.
fn tag(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u8::try_from(body.len()).unwrap();
    [&[kind, 0, 0, size, 0, 0, 0, 0, 0, 0, 0], body, &[0, 0, 0, 11 + size]].concat()
}

#[test]
fn log_lines_stand_beside_the_progress_line_and_not_in_it() {
    let place = Place::new();
    // Long enough for the line to be drawn before each.
    let url =
        flv_in_pieces(vec![tag(8, b"\xCF\x01\x02\x03"), tag(9, b"\x19\0\0\0")], Duration::from_millis(1500));
    let program = env!("CARGO_BIN_EXE_headwater");
    let Some(drawn) = drawn(&place, &format!("{program} play {url}")) else { return };
    assert!(drawn.contains("waiting for live/a …, 58 s left"), "{drawn}");
    for said in ["FLV audio format 12 is not supported", "FLV video codec 9 (MPEG-4 part 2)"] {
        let at = drawn.find(said).unwrap_or_else(|| panic!("{said:?} was not logged: {drawn:?}"));
        let line = drawn[..at].rsplit('\n').next().unwrap();
        // What was drawn in this line before was taken away before the log was written.
        let seen = line.rsplit("\u{1b}[2K").next().unwrap();
        assert!(
            line.contains("\u{1b}[2K") && !seen.contains("http://") && !seen.contains("waiting"),
            "{line:?}"
        );
        let rest = drawn[at..].lines().next().unwrap();
        assert!(!rest.contains("http://") && !rest.contains("waiting"), "{rest:?}");
    }
}

#[test]
fn a_wait_is_counted_down_in_the_line() {
    let place = Place::new();
    let server = Server::serve(&place, "[streams]\nwait_ms = 4000\n");
    let program = env!("CARGO_BIN_EXE_headwater");
    for command in ["play", "probe"] {
        let url = format!("{}/live/nobody", server.url("rtmp"));
        let Some(drawn) = drawn(&place, &format!("{program} {command} {url}")) else { return };
        for left in ["58 s left", "57 s left"] {
            assert!(drawn.contains(&format!("waiting for live/nobody …, {left}")), "{drawn}");
        }
    }
}
