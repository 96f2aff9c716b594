//! `headwater publish`: what it says while it sends, and at the end.

use serde_json::Value;

use crate::place::{Place, Server, testdata};

#[test]
fn where_there_is_no_terminal_lines_tell_how_far_it_is() {
    let place = Place::new();
    let server = Server::serve(&place, "");
    let url = format!("{}/live/a", server.url("rtmp"));
    let ended = place.run(&["publish", "--speed", "0.6", &testdata("bframes.mp4"), &url]);
    assert!(ended.is_good, "{ended:?}");
    let lines: Vec<_> = ended.said.lines().filter(|line| line.contains(" of 0:00:")).collect();
    assert_eq!(lines.len(), 1, "{ended:?}");
    assert!(
        lines[0].starts_with("0:00:0") && lines[0].contains(" frames  ") && lines[0].contains("kbit/s"),
        "{lines:?}"
    );
    assert!(ended.said.contains("published "), "{ended:?}");
}

#[test]
fn what_was_sent_is_told_as_json_too() {
    let place = Place::new();
    let server = Server::serve(&place, "");
    let url = format!("{}/live/a?key=not-for-others", server.url("rtmp"));
    let film = testdata("bframes.mp4");
    let ended = place.run(&["publish", "--json", "--speed", "20", &film, &film, &url]);
    assert!(ended.is_good && !ended.said.contains("published"), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&report["ended"], &report["error"]), (&"files".into(), &Value::Null), "{report}");
    assert_eq!(report["files"], Value::from(vec![film.clone(), film.clone()]));
    assert!(report["frames"].as_u64() > Some(100) && report["bytes"].as_u64() > Some(10_000), "{report}");
    assert!(report["media_seconds"].as_f64() > Some(3.0) && report["left_out"]["messages"] == 0, "{report}");
    assert!(report["url"].as_str().unwrap().ends_with("/live/a?key=…"), "{report}");

    // An end before the end is told in the same form.
    let busy = place.headwater(&["publish", "--speed", "0.1", &film, &url]).spawn();
    let mut busy = busy.unwrap();
    server.must_say("publishing");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let ended = place.run(&["publish", "--json", "--speed", "20", "no-such-file.mp4", &url]);
    assert!(!ended.is_good && ended.said.contains("no-such-file.mp4"), "{ended:?}");
    busy.kill().unwrap();
    busy.wait().unwrap();
}
