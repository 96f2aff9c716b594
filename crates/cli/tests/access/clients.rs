//! A real encoder with a key that has a slash, which it cuts at.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Server, http};
use crate::wire::Place;

const KEY: &str = "pa/ss+wo=rd";
const CODED: &str = "pa%2Fss%2Bwo%3Drd";

/// Whether ffmpeg is here; if not, the test is over.
fn has_ffmpeg() -> bool {
    let there =
        Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let required = std::env::var("HEADWATER_CLIENTS").is_ok_and(|value| value == "require");
    assert!(there || !required, "ffmpeg is not here");
    if !there {
        println!("SKIPPED: ffmpeg is not here");
    }
    there
}

#[test]
fn ffmpeg_publishes_with_a_slash_in_the_key_raw_and_coded() {
    if !has_ffmpeg() {
        return;
    }
    let server = Server::start(&format!("[access]\npublish = \"key\"\npublish_key = \"{KEY}\"\n"));
    let rtmp = crate::wire::rtmp(&server);
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/demo.flv");
    for (name, key, may) in [("raw", KEY, true), ("coded", CODED, true), ("wrong", "pa/ss+wo=rx", false)] {
        let url = format!("rtmp://{rtmp}/live/{name}?key={key}");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-t", "1", "-i"])
            .arg(&clip)
            .args(["-c", "copy", "-f", "flv", &url]);
        let output = ffmpeg.output().unwrap();
        assert_eq!(output.status.success(), may, "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let streams = http(&server, Place::Near, "GET /api/v1/streams HTTP/1.1\r\nHost: localhost", "");
    assert!(streams.contains("\"live/raw\"") && streams.contains("\"live/coded\""), "{streams}");
    assert!(!streams.contains("ss+wo"), "{streams}");
    let said = server.end();
    assert!(said.contains("publish \"live/wrong\" refused: The publish key is wrong"), "{said}");
    assert!(!said.contains("ss+wo"), "{said}");
}
