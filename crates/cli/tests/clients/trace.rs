//! `headwater trace`: saved conversations word for word, a live one against the real server, and one seen between
//! ffmpeg and the server.
//!
//! The expected texts stand beside the captures; `HEADWATER_BLESS=1` writes them anew.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use headwater_media::amf::Object;
use headwater_rtmp::capture::{self, Side};
use headwater_rtmp::command::Command;
use headwater_rtmp::rule::Rule;
use serde_json::Value;

use crate::harness::{Server, headwater};
use crate::program::{Program, needs};
use crate::sources::testdata;

fn captures() -> Vec<PathBuf> {
    let entries = fs::read_dir(testdata("captures")).unwrap().map(|entry| entry.unwrap().path());
    let mut captures: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "capture"))
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("trace-"))
        .collect();
    captures.sort();
    assert!(captures.len() >= 4, "{captures:?}");
    captures
}

/// What `trace` prints, and whether it calls the conversation good.
fn trace(arguments: &[&str], file: &Path) -> (String, bool) {
    let output = headwater().arg("trace").args(arguments).arg(file).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn saved_conversations_are_explained_word_for_word() {
    for capture in captures() {
        let (text, works) = trace(&["--width", "100"], &capture);
        let expected = capture.with_extension("txt");
        if std::env::var_os("HEADWATER_BLESS").is_some() {
            fs::write(&expected, &text).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap();
        assert_eq!(text, expected, "{}", capture.display());
        assert_eq!(works, text.contains("✓ It works"), "{}", capture.display());
        let mut rows = text.lines().filter(|line| !line.starts_with('#'));
        assert!(rows.all(|line| line.chars().count() <= 100), "{}", capture.display());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{}", capture.display());
    }
}

#[test]
fn columns_align_at_any_width() {
    for width in ["80", "120"] {
        for capture in captures() {
            let (text, _) = trace(&["--width", width, "--expand"], &capture);
            let rows = text.lines().filter(|line| line.contains(" → ") || line.contains(" ← "));
            for row in rows.take_while(|row| !row.starts_with(['→', '←'])) {
                let column = row.chars().position(|c| c == '→' || c == '←');
                assert_eq!(column, Some(11), "{row}");
            }
        }
    }
}

#[test]
fn strict_takes_a_broken_rule_for_a_failure() {
    let nginx = testdata("captures/trace-ffmpeg-publishes-nginx.capture");
    assert!(trace(&[], &nginx).1);
    assert!(!trace(&["--strict"], &nginx).1, "nginx-rtmp does not answer releaseStream");
    let ours = testdata("captures/trace-ffmpeg-plays-headwater.capture");
    assert!(trace(&["--strict"], &ours).1, "our server breaks no rule");
    assert!(!trace(&[], &testdata("captures/trace-ffmpeg-refused-headwater.capture")).1);
}

#[test]
fn json_has_an_object_for_each_message_and_the_verdict() {
    let (text, _) = trace(&["--json"], &testdata("captures/trace-rtmpdump-plays-nginx.capture"));
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (verdict, events) = objects.split_last().unwrap();
    assert_eq!((&verdict["event"], &verdict["works"]), (&"verdict".into(), &true.into()));
    let video = events.iter().filter(|event| event["type"] == "video" && event["bytes"].as_u64() > Some(0));
    let frames = verdict["tracks"].as_array().unwrap().iter().find(|track| track["kind"] == "video").unwrap();
    let messages = frames["frames"].as_u64().unwrap() + frames["headers"].as_u64().unwrap();
    assert_eq!(video.count() as u64, messages);
    let connect = events.iter().find(|event| event["step"] == "connect").unwrap();
    assert_eq!((&connect["from"], &connect["chunk_stream"]), (&"client".into(), &3.into()));
    let copied = |list: &Value| list.as_array().unwrap().iter().any(|entry| entry["rule"] == "s1-copy");
    assert!(copied(&verdict["deviations"]) && events.iter().any(|event| copied(&event["deviations"])));
}

#[test]
fn a_page_is_whole_and_holds_nothing_foreign() {
    let server = Server::start();
    let page = server.file("page.html");
    let capture = testdata("captures/trace-ffmpeg-refused-headwater.capture");
    trace(&["--html", page.to_str().unwrap()], &capture);
    let html = fs::read_to_string(page).unwrap();
    for part in ["<!doctype html>", "<svg", "It failed at Publish.Start", "BadName", "</svg>", "</html>"] {
        assert!(html.contains(part), "no {part}");
    }
    for foreign in ["<script", "http://", "https://", "url(", "src="] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_manual_shows_what_is_printed_and_lists_every_rule() {
    let manual = fs::read_to_string(testdata("../docs/trace.md")).unwrap();
    let ladder = fs::read_to_string(testdata("captures/trace-rtmpdump-plays-nginx.txt")).unwrap();
    assert!(manual.contains(ladder.split_once("\n   seconds").unwrap().1));
    let refused = fs::read_to_string(testdata("captures/trace-ffmpeg-refused-headwater.txt")).unwrap();
    assert!(manual.contains(refused.split_once("── verdict").unwrap().1));
    for rule in Rule::ALL {
        let row = format!("| {} | {} | {} | {} |", rule.id(), rule.severity(), rule.text(), rule.source());
        assert!(manual.contains(&row), "docs/trace.md lacks: {row}");
    }
}

#[test]
fn what_a_peer_writes_stays_text() {
    let server = Server::start();
    let (capture, page) = (server.file("hostile.capture"), server.file("hostile.html"));
    let name = "\u{1b}[2J\r\n\u{9b}31m\u{202e}<script>alert('x')</script>\"&";
    let object = Object::new().with("app", name).with(name, name);
    let connect = Command::new("connect", 1.0).object(object).with(name);
    let mut said = vec![3; 1 + 1536 + 1536];
    for command in [connect, Command::new(name, 2.0).with(name)] {
        let payload = command.encode();
        // One chunk of any length: the chunk size is set first.
        said.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1, 0, 0]);
        let [.., high, low] = payload.len().to_be_bytes();
        said.extend([3, 0, 0, 0, 0, high, low, 20, 0, 0, 0, 0]);
        said.extend(&payload[..]);
    }
    let mut file = capture::head([name]);
    capture::put_record(&mut file, Side::Client, 0, &said);
    capture::put_record(&mut file, Side::Server, 0, &[3; 1 + 1536 + 1536]);
    fs::write(&capture, file).unwrap();
    for detail in [&["--expand"][..], &["--json"], &["--html", page.to_str().unwrap()]] {
        let (text, _) = trace(detail, &capture);
        assert!(text.contains("connect"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{text:?}");
    }
    let html = fs::read_to_string(page).unwrap();
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script") && !html.contains('\u{1b}'),
        "{html}"
    );
}

#[test]
fn our_own_server_plays_and_is_published_to_without_a_broken_rule() {
    let server = Server::start();
    let saved = server.file("talk.capture");
    let mut publish = headwater();
    publish.args(["trace", &server.rtmp("x"), "--strict", "--seconds", "20", "--publish"]);
    publish.arg(testdata("demo.flv"));
    let publisher = server.run("trace-publish", publish);
    server.wait_live("x");

    let mut play = headwater();
    play.args(["trace", &server.rtmp("x"), "--strict", "--seconds", "1", "--save", saved.to_str().unwrap()]);
    let mut player = server.run("trace-play", play);
    player.succeed(20);
    let text = player.log();
    assert!(text.contains("✓ play ") && text.contains("0 errors, 0 warnings"), "{text}");
    // The same bytes, the same words.
    let (again, works) = trace(&["--strict"], &saved);
    assert!(works);
    let without_comments: String =
        again.lines().filter(|line| !line.starts_with('#')).map(line_end).collect();
    assert_eq!(without_comments, text);

    publisher.signal("INT");
    let mut publisher = publisher;
    publisher.succeed(20);
    let text = publisher.log();
    assert!(text.contains("✓ publish ") && text.contains("0 errors, 0 warnings"), "{text}");
}

fn line_end(line: &str) -> String {
    format!("{line}\n")
}

#[test]
fn a_stream_that_is_refused_is_explained() {
    let server = Server::start();
    let publish = || {
        let mut publish = headwater();
        publish.args(["trace", &server.rtmp("x"), "--seconds", "20", "--publish"]).arg(testdata("demo.flv"));
        publish
    };
    let first = server.run("first", publish());
    server.wait_live("x");
    let mut second = server.run("second", publish());
    assert_eq!(second.wait(20).code(), Some(1));
    let text = second.log();
    for part in ["✗ It failed at Publish.Start (publish):", "NetStream.Publish.BadName", "take another name"]
    {
        assert!(text.contains(part), "no {part}:\n{text}");
    }
    drop(first);

    let mut deaf = headwater();
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    deaf.args(["trace", &format!("rtmp://127.0.0.1:{port}/live/x")]);
    let mut deaf = server.run("deaf", deaf);
    assert_eq!(deaf.wait(20).code(), Some(1));
    assert!(deaf.log().contains("cannot reach"), "{}", deaf.log());
}

#[test]
fn between_ffmpeg_and_the_server_every_byte_passes() {
    needs!("ffmpeg");
    let server = Server::start();
    let captures = server.file("captures");
    fs::create_dir(&captures).unwrap();
    let (proxy, port) = start_proxy(&server, &captures);
    let source = testdata("demo.flv");
    let through = |name: &str| format!("rtmp://127.0.0.1:{port}/live/{name}");
    let publisher =
        server.ffmpeg("publish", &format!("-re -i {} -c copy -f flv", source.display()), through("x"));
    server.wait_live("x");
    let received = server.file("received.flv");
    let play = format!("-i {} -t 1 -c copy", through("x"));
    server.ffmpeg("play", &play, &received).succeed(30);
    assert!(fs::metadata(&received).unwrap().len() > 10_000);
    drop(publisher);
    thread::sleep(Duration::from_millis(300));
    proxy.signal("INT");
    let mut proxy = proxy;
    proxy.succeed(20);
    let text = proxy.log();
    assert_eq!(text.matches("✓ It works").count(), 2, "{text}");
    assert!(text.contains(" 1│ ✓ publish ") && text.contains(" 2│ ✓ play "), "{text}");
    for number in ["1", "2"] {
        let (again, works) = trace(&[], &captures.join(format!("{number}.capture")));
        assert!(works, "{again}");
    }
}

#[test]
fn whatever_it_is_it_passes_untouched() {
    const BYTES: usize = 3 << 20;
    let server = Server::start();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let (proxy, port) = start_proxy_to(&server, &upstream.local_addr().unwrap().to_string(), &[]);
    let noise = |seed: u32| -> Vec<u8> {
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat(()).scan(seed, |state, ()| step(state)).take(BYTES).collect()
    };
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut from_client, _) = upstream.accept().unwrap();
    let sender = {
        let mut client = client.try_clone().unwrap();
        thread::spawn(move || {
            client.write_all(&noise(1)).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        })
    };
    // The client closes its half; the server speaks only after that.
    let mut heard = Vec::new();
    from_client.read_to_end(&mut heard).unwrap();
    sender.join().unwrap();
    assert!(heard == noise(1));
    let answer = thread::spawn(move || from_client.write_all(&noise(2)).unwrap());
    let mut answered = Vec::new();
    client.read_to_end(&mut answered).unwrap();
    answer.join().unwrap();
    assert!(answered == noise(2));
    proxy.signal("INT");
    let mut proxy = proxy;
    assert_eq!(proxy.wait(20).code(), Some(1), "it is no RTMP");
    let text = proxy.log();
    assert!(text.contains("3,145,728 bytes from the client, 3,145,728 from the server"), "{text}");
    assert!(text.contains("not RTMP: the first byte is 0x3c"), "{text}");
}

/// A proxy to the server that writes every conversation down.
fn start_proxy(server: &Server, captures: &Path) -> (Program, u16) {
    start_proxy_to(server, &server.rtmp("x"), &["--save", captures.to_str().unwrap()])
}

/// Its port is any free one: it says which.
fn start_proxy_to(server: &Server, target: &str, more: &[&str]) -> (Program, u16) {
    let mut command = headwater();
    command.args(["trace", "--listen", "0", "--to", target]).args(more);
    let proxy = server.run("proxy", command);
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let log = proxy.log();
        let said = log.split_once("listening on 127.0.0.1:").and_then(|(_, rest)| rest.split_once(','));
        if let Some((port, _)) = said {
            return (proxy, port.parse().unwrap());
        }
        assert!(Instant::now() < end, "the proxy does not listen:\n{log}");
        thread::sleep(Duration::from_millis(20));
    }
}
