//! Films over HLS: what ffmpeg puts together of playlists and segments, access unit by access unit, against what
//! ffprobe reads in the file itself; and what caches are told.

use std::fs;
use std::process::Command;

use crate::films::{self, Recipe};
use crate::harness::Server;
use crate::program::needs;
use crate::recording::{Recording, compare, whole};
use crate::vod::encoded;

const LIMIT_S: u64 = 60;

/// 21 s with B-frames, a keyframe every 2 s, and sound in two languages.
fn long() -> Recipe {
    let inputs = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=21 \
        -f lavfi -i anoisesrc=r=44100:d=21:seed=7:a=0.3 -f lavfi -i anoisesrc=r=48000:d=21:seed=9:a=0.2";
    let coders = "-map 0:v -map 1:a -map 2:a -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 \
        -pix_fmt yuv420p -bf 2 -b_strategy 0 -c:a aac -b:a 64k";
    let words = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
    Recipe("long.mp4", format!("{inputs} {coders} {words}"))
}

/// A server with the long film and subtitles of its own.
fn with_long() -> Server {
    let server = Server::start_with_films(None);
    fs::copy(films::made(&long()), server.file("media/long.mp4")).unwrap();
    fs::write(server.file("media/long.en.vtt"), "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n").unwrap();
    let subrip = "1\n00:00:03,500 --> 00:00:04,000\nGuten Tag\n";
    fs::write(server.file("media/long.de.srt"), subrip).unwrap();
    server
}

/// ffmpeg copies what an address leads to into a file.
fn copy(server: &Server, url: &str, map: &str, file: &str) -> Recording {
    server.ffmpeg(file, &format!("-i {url} {map} -c copy"), server.file(file)).succeed(LIMIT_S);
    Recording::read(&server.file(file))
}

/// The body of an answer that must be good.
fn body(server: &Server, path: &str) -> String {
    let answer = server.request("GET", path);
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// A field of an answer's head.
fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head);
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
}

fn curl(server: &Server, arguments: &[&str], path: &str) -> String {
    let url = format!("http://{}{path}", server.http_address());
    let output =
        Command::new("curl").args(["-sS", "-i", "--max-time", "20"]).args(arguments).arg(url).output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

#[test]
fn every_form_of_film_over_hls() {
    needs!("ffmpeg", "ffprobe");
    let recipes = films::recipes();
    let directory = films::made(&recipes[0]);
    recipes.iter().for_each(|recipe| drop(films::made(recipe)));
    let server = Server::start_with_films(directory.parent());
    for (number, Recipe(name, _)) in recipes.iter().enumerate() {
        let master = format!("{}/index.m3u8", server.http_film(&encoded(name)));
        if *name == "sorenson.flv" {
            // Its picture is not carried; its sound is.
            let received = copy(&server, &master, "-map 0:a", &format!("{number}.mp4"));
            assert!(received.video.is_empty() && received.audio.len() > 200, "{name}");
            continue;
        }
        let mut source = Recording::read(&films::film(name));
        if *name == "cmaf.mp4" {
            // Of fragments with offsets below zero ffprobe shifts what is shown; not so of the same pictures here.
            source.video = Recording::read(&films::film("negative.mp4")).video;
        }
        let received = copy(&server, &master, "-map 0:v? -map 0:a?", &format!("{number}.mp4"));
        assert_same(name, &source, &received);
    }
}

#[track_caller]
fn assert_same(what: &str, source: &Recording, received: &Recording) {
    if let Err(wrong) = compare(source, received, whole(source)) {
        panic!("{what}: {wrong}");
    }
    let lengths = |recording: &Recording| (recording.video.len(), recording.audio.len());
    assert_eq!(lengths(received), lengths(source), "{what}: pictures and sounds");
}

#[test]
fn each_rendition_of_a_film_over_hls() {
    needs!("ffmpeg", "ffprobe");
    let server = with_long();
    let film = server.http_film("long.mp4");
    let alone = |map: &str, file: &str| {
        let path = films::made(&long());
        server
            .ffmpeg(file, &format!("-i {} {map} -c copy", path.display()), server.file(file))
            .succeed(LIMIT_S);
        Recording::read(&server.file(file))
    };
    for (rendition, map) in [("video-0", "-map 0:v"), ("audio-0", "-map 0:a:0"), ("audio-1", "-map 0:a:1")] {
        let received =
            copy(&server, &format!("{film}/hls/{rendition}.m3u8"), "-map 0", &format!("{rendition}.mp4"));
        assert_same(rendition, &alone(map, &format!("{rendition}-source.mp4")), &received);
    }
    let keys = copy(&server, &format!("{film}/hls/video-0-keys.m3u8"), "-map 0", "keys.mp4");
    let video = alone("-map 0:v", "video.mp4").video;
    let expected: Vec<&String> = video.iter().filter(|unit| unit.key).map(|unit| &unit.hash).collect();
    assert_eq!(
        keys.video.iter().map(|unit| &unit.hash).collect::<Vec<_>>(),
        expected,
        "the key frames alone"
    );
    // Every picture and sound that comes over HLS can be decoded as well.
    let mut decoding =
        server.ffmpeg("decode", &format!("-xerror -i {film}/index.m3u8 -map 0:v -map 0:a -f null"), "-");
    decoding.succeed(LIMIT_S);
    assert!(!decoding.log().contains("rror"), "{}", decoding.log());
}

#[test]
fn the_playlists_of_a_film() {
    needs!("ffmpeg");
    let server = with_long();
    let master = body(&server, "/vod/long.mp4/index.m3u8");
    for part in [
        "TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"eng\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\"",
        "NAME=\"deu\",LANGUAGE=\"de\",DEFAULT=NO",
        "TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"de\",LANGUAGE=\"de\"",
        "CODECS=\"avc1.64000D,mp4a.40.2\",RESOLUTION=320x240,FRAME-RATE=25.000,AUDIO=\"sound\",SUBTITLES=\"text\"",
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=",
    ] {
        assert!(master.contains(part), "{part} is not in\n{master}");
    }
    let media = body(&server, "/vod/long.mp4/hls/video-0.m3u8");
    let lasts = |line: &str| line.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse::<f64>().ok();
    let sum: f64 = media.lines().filter_map(lasts).sum();
    // That two pictures are decoded before the first is shown makes the film no longer.
    assert!((sum - 21.0).abs() < 0.001, "the pictures last 21 s, the playlist says {sum}\n{media}");
    assert_eq!(media.matches("#EXTINF").count(), 4, "{media}");
    assert!(
        media.contains("#EXT-X-INDEPENDENT-SEGMENTS\n") && media.ends_with("#EXT-X-ENDLIST\n"),
        "{media}"
    );
    let text = body(&server, "/vod/long.mp4/hls/subtitles-0.vtt");
    assert!(text.contains("00:00:03.500 --> 00:00:04.000\nGuten Tag"), "{text}");
    assert!(text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:"), "{text}");
    assert!(body(&server, "/vod/long.mp4/hls/subtitles-1.m3u8").contains("subtitles-1.vtt"));
}

#[test]
fn what_caches_and_players_are_told_of_hls() {
    needs!("ffmpeg", "curl");
    let server = with_long();
    let path = "/vod/long.mp4/hls/video-0/1.m4s";
    let answer = curl(&server, &[], path);
    let tag = field(&answer, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 10, "{answer}");
    assert_eq!(
        (field(&answer, "content-type"), field(&answer, "access-control-allow-origin")),
        ("video/mp4", "*")
    );
    let again = curl(&server, &["-H", &format!("If-None-Match: {tag}")], path);
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    let head = curl(&server, &["-I"], path);
    assert_eq!(field(&head, "content-length"), field(&answer, "content-length"));
    let part = curl(&server, &["-r", "4-7"], path);
    assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("styp"), "{part}");
    let film = curl(&server, &["-I"], "/vod/long.mp4");
    let state = field(&film, "etag").trim_matches('"');
    let for_ever = curl(&server, &["-I"], &format!("{path}?v={state}"));
    assert!(field(&for_ever, "cache-control").contains("immutable"), "{for_ever}");
    for playlist in ["index.m3u8", "hls/video-0.m3u8", "hls/video-0-keys.m3u8", "hls/subtitles-0.m3u8"] {
        let path = format!("/vod/long.mp4/{playlist}");
        let [plain, packed] = [&[][..], &["--compressed"]].map(|arguments| curl(&server, arguments, &path));
        assert_eq!((field(&plain, "content-encoding"), field(&packed, "content-encoding")), ("", "gzip"));
        let text = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        assert!(text(&plain) == text(&packed) && text(&plain).ends_with('\n'), "{packed}");
        let tag = field(&packed, "etag");
        let again = curl(&server, &["-H", &format!("If-None-Match: {tag}")], &path);
        assert!(again.starts_with("HTTP/1.1 304") && field(&again, "vary") == "Accept-Encoding", "{again}");
    }
    let gone = curl(&server, &[], &format!("{path}?v=of-yesterday"));
    assert!(gone.starts_with("HTTP/1.1 410") && gone.ends_with("load its playlist again.\n"), "{gone}");
    for (nothing, what) in [
        ("/vod/long.mp4/hls/video-0/4.m4s", "has no segment 4."),
        ("/vod/long.mp4/hls/video-1.m3u8", "has no track video-1."),
        ("/vod/long.mp4/hls/audio-0/init-1.mp4", "has no initialisation segment 1."),
        ("/vod/long.mp4/hls/audio-0-keys.m3u8", "has no key frames in audio-0."),
        ("/vod/long.mp4/hls/subtitles-2.vtt", "has no subtitles 2."),
        ("/vod/none.mp4/index.m3u8", "There is no film none.mp4."),
    ] {
        let answer = curl(&server, &[], nothing);
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains(what), "{nothing}: {answer}");
    }
}
