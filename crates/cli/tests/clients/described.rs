//! What describes a film's tracks beside their configuration, as each door gives it: where decoding can start, how
//! pictures are shaped, coloured and turned, and the text inside.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::films::{self, Recipe};
use crate::harness::{Server, headwater};
use crate::program::needs;
use crate::recording::Recording;

const LIMIT_S: u64 = 60;

/// 12 s of intra refresh: an IDR picture, and every 2 s a recovery point from which on pictures come right.
fn refresh(name: &'static str) -> Recipe {
    let video = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=12 -c:v libx264 -preset veryfast -pix_fmt yuv420p";
    Recipe(name, format!("{video} -x264-params intra-refresh=1:keyint=50:bframes=0:scenecut=0"))
}

/// The same file with another name for each box of that kind.
fn without_box(film: &Path, kind: &[u8; 4]) -> Vec<u8> {
    let mut bytes = fs::read(film).unwrap();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == *kind).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(b"free"));
    bytes
}

/// The number of the first picture of `received` among those of `source`, and whether it is a key frame.
#[track_caller]
fn begins_with(source: &Recording, received: &Recording) -> (usize, bool) {
    let first = received.video.first().expect("there are pictures");
    let number = source.video.iter().position(|unit| unit.hash == first.hash);
    (number.expect("the picture is one of the source"), first.key)
}

/// The bytes of an answer that must be good.
fn bytes(server: &Server, path: &str) -> Vec<u8> {
    let file = server.file("answer");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail-with-body", "-o"]).arg(&file).arg(server.http_film(path));
    server.run("curl", curl).succeed(LIMIT_S);
    fs::read(file).unwrap()
}

fn text(server: &Server, path: &str) -> String {
    String::from_utf8(bytes(server, path)).unwrap()
}

#[test]
fn intra_refresh_begins_at_recovery_points_live_and_as_a_film() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with_films(None);
    let film = films::made(&refresh("refresh.mp4"));
    let source = Recording::read(&film);
    fs::copy(&film, server.file("media/table.mp4")).unwrap();
    fs::write(server.file("media/bare.mp4"), without_box(&film, b"stss")).unwrap();
    fs::copy(films::made(&refresh("refresh.flv")), server.file("media/tags.flv")).unwrap();
    for name in ["table.mp4", "bare.mp4", "tags.flv"] {
        let stem = name.split('.').next().unwrap();
        for (start, wanted) in [(0.0, 0), (3.9, 50), (5.0, 100), (11.9, 250)] {
            let (rtmp, part) = (server.file("rtmp.flv"), server.file("part.flv"));
            let mut play = headwater();
            play.args([
                "play",
                &server.rtmp_film(stem),
                "--start",
                &start.to_string(),
                "--duration",
                "1",
                "-o",
            ]);
            play.arg(&rtmp);
            server.run("play", play).succeed(LIMIT_S);
            assert_eq!(begins_with(&source, &Recording::read(&rtmp)), (wanted, true), "{name} at {start}");
            fs::write(&part, bytes(&server, &format!("{stem}.flv?start={start}"))).unwrap();
            assert_eq!(begins_with(&source, &Recording::read(&part)), (wanted, true), "{name}?start={start}");
        }
        // A segment may begin at such a place. But no picture alone is a whole one.
        let playlist = text(&server, &format!("{name}/hls/video-0.m3u8"));
        assert_eq!(playlist.matches("#EXTINF:6.0").count(), 2, "{playlist}");
        assert!(!playlist.contains("INDEPENDENT"), "{playlist}");
        assert!(!text(&server, &format!("{name}/index.m3u8")).contains("I-FRAME"));
        let pictures = [0, 9].map(|t| bytes(&server, &format!("{name}/thumbnail.jpg?t={t}")));
        assert!(pictures[0] == pictures[1] && pictures[0].starts_with(&[0xFF, 0xD8]), "{name}");
    }
    let _publisher = server.publish(&film, "refresh");
    server.wait_live("refresh");
    thread::sleep(Duration::from_millis(4500));
    let mut play = headwater();
    play.args(["play", &server.rtmp("refresh"), "--duration", "1", "-o"]).arg(server.file("live.flv"));
    server.run("live", play).succeed(LIMIT_S);
    let (first, is_key) = begins_with(&source, &Recording::read(&server.file("live.flv")));
    assert!(is_key && first >= 100 && first.is_multiple_of(50), "{first}");
}

/// The third to the fifth second of a film are all that its edit list shows; its frames are as they were.
fn trimmed(film: &mut [u8]) {
    let timescale = |kind| {
        let at = body_of(film, kind).unwrap() + 12;
        u32::from_be_bytes(film[at..at + 4].try_into().unwrap())
    };
    let (movie, track) = (timescale(b"mvhd"), timescale(b"mdhd"));
    // Version 0 with one edit: how long, from where.
    let edits = body_of(film, b"elst").unwrap();
    assert_eq!(film[edits..edits + 8], [0, 0, 0, 0, 0, 0, 0, 1]);
    film[edits + 8..edits + 12].copy_from_slice(&(2 * movie).to_be_bytes());
    film[edits + 12..edits + 16].copy_from_slice(&(3 * track).to_be_bytes());
}

#[test]
fn a_trimmed_film_without_a_table_begins_with_its_key_frame() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with_films(None);
    // A key frame every 2 s.
    let groups = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=6 -c:v libx264 -preset veryfast -bf 0 -g 50 \
        -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p";
    let film = films::made(&Recipe("groups.mp4", groups.to_owned()));
    let source = Recording::read(&film);
    let mut table = fs::read(&film).unwrap();
    let mut bare = without_box(&film, b"stss");
    trimmed(&mut table);
    trimmed(&mut bare);
    fs::write(server.file("media/table.mp4"), table).unwrap();
    fs::write(server.file("media/bare.mp4"), bare).unwrap();
    for stem in ["table", "bare"] {
        let part = server.file("part.flv");
        fs::write(&part, bytes(&server, &format!("{stem}.flv?start=0"))).unwrap();
        let received = Recording::read(&part);
        assert_eq!(begins_with(&source, &received), (50, true), "{stem}");
        // From the key frame at 2 s, which the picture at 3 s needs, to 5 s.
        assert_eq!(received.video.len(), 75, "{stem}");
        let about = server.request("GET", &format!("/api/v1/films/vod/{stem}.mp4"));
        assert!(about.contains("\"duration\":2"), "{stem}: {about}");
    }
}

/// Where the body of the first box of that kind begins.
fn body_of(file: &[u8], kind: &[u8; 4]) -> Option<usize> {
    file.windows(4).position(|window| window == kind).map(|at| at + 4)
}

#[test]
fn shape_colours_and_turn_of_a_film_are_in_its_parts_and_segments() {
    needs!("ffmpeg", "curl");
    let server = Server::start_with_films(None);
    let shaped = Recipe(
        "shaped.mp4",
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=2 -vf setsar=4/3 -c:v libx264 -preset veryfast \
         -pix_fmt yuv420p -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv"
            .to_owned(),
    );
    let mut film = fs::read(films::made(&shaped)).unwrap();
    // A quarter turn, as a telephone notes it: a, b, u, c, d, v, x, y, w.
    let turn: [u32; 9] = [0, 1 << 16, 0, (-1i32 << 16) as u32, 0, 0, 180 << 16, 0, 1 << 30];
    let turn: Vec<u8> = turn.into_iter().flat_map(u32::to_be_bytes).collect();
    let matrix = body_of(&film, b"tkhd").unwrap() + 40;
    film[matrix..matrix + 36].copy_from_slice(&turn);
    fs::write(server.file("media/shaped.mp4"), &film).unwrap();
    let colours = b"nclx\0\x09\0\x10\0\x09\0";
    for path in ["shaped.mp4/hls/video-0/init-0.mp4", "shaped.mp4?start=1"] {
        let made = bytes(&server, path);
        let pasp = body_of(&made, b"pasp").unwrap_or_else(|| panic!("{path}: no pasp"));
        assert_eq!(made[pasp..pasp + 8], [0, 0, 0, 4, 0, 0, 0, 3], "{path}");
        let colr = body_of(&made, b"colr").unwrap_or_else(|| panic!("{path}: no colr"));
        assert_eq!(&made[colr..colr + 11], colours, "{path}");
        assert!(made.windows(36).any(|bytes| bytes == turn), "{path}");
    }
}

/// The widths of the pictures as ffmpeg decodes them, each with how many in a row have it.
fn widths(input: &str) -> Vec<(u32, usize)> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args([
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "frame=width",
        "-of",
        "csv=p=0",
        input,
    ]);
    let output = String::from_utf8(ffprobe.output().unwrap().stdout).unwrap();
    let widths: Vec<u32> = output
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.trim_end_matches(',').parse().unwrap())
        .collect();
    widths.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect()
}

/// Nothing but the parameter sets in front of key frames says it: the film is of two joined ones.
#[test]
fn a_size_that_changes_among_the_pictures_changes_at_every_door() {
    needs!("ffmpeg", "ffprobe", "curl");
    let server = Server::start_with_films(None);
    let part = |name, size| {
        let video =
            format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=2 -c:v libx264 -preset veryfast");
        films::made(&Recipe(name, format!("{video} -pix_fmt yuv420p -bf 0 -g 25 -f mpegts")))
    };
    let (small, large) = (part("size-small.ts", "160x120"), part("size-large.ts", "320x240"));
    let (small, large) = (small.display(), large.display());
    for (name, tag) in [("avc1", "avc1"), ("avc3", "avc3")] {
        let joined = format!("-i concat:{small}|{large}|{small} -c copy -tag:v {tag}");
        server.ffmpeg(name, &joined, server.file("media").join(format!("{name}.mp4"))).succeed(LIMIT_S);
        let whole = [(160, 50), (320, 50), (160, 50)];
        for input in [
            server.rtmp_film(name),
            server.http_film(&format!("{name}.flv")),
            server.http_film(&format!("{name}.mp4?start=0")),
            server.http_film(&format!("{name}.mp4/index.m3u8")),
        ] {
            assert_eq!(widths(&input), whole, "{input}");
        }
        assert_eq!(widths(&server.http_film(&format!("{name}.flv?start=3"))), [(320, 25), (160, 50)]);
        let playlist = text(&server, &format!("{name}.mp4/hls/video-0.m3u8"));
        assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:").count(), 2, "{playlist}");
        for (at, expected) in [(1, 160), (3, 320), (5, 160)] {
            let part = bytes(&server, &format!("{name}.mp4/hls/video-0/init-{}.mp4", at / 2));
            // Behind the head of the table, that of the entry, and 24 bytes of it.
            let size = body_of(&part, b"stsd").unwrap() + 8 + 8 + 24;
            assert_eq!(part[size..size + 2], u16::to_be_bytes(expected), "{name} at {at} s");
        }
    }
}

#[test]
fn text_inside_a_film_is_subtitles_over_hls() {
    needs!("ffmpeg", "curl");
    let server = Server::start_with_films(None);
    fs::write(server.file("de.srt"), "1\n00:00:01,000 --> 00:00:02,500\nGrüße & <i>mehr</i>\n").unwrap();
    let arguments = format!(
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=4 -i {} -map 0 -map 1 -c:v libx264 -preset veryfast \
         -bf 0 -c:s mov_text -metadata:s:s:0 language=ger",
        server.file("de.srt").display()
    );
    let fragmented = format!("{arguments} -movflags frag_keyframe+empty_moov+default_base_moof");
    for (name, arguments) in [("whole.mp4", &arguments), ("fragments.mp4", &fragmented)] {
        server.ffmpeg(name, arguments, server.file("media").join(name)).succeed(LIMIT_S);
        let master = text(&server, &format!("{name}/index.m3u8"));
        assert!(master.contains("TYPE=SUBTITLES") && master.contains("LANGUAGE=\"de\""), "{master}");
        assert!(master.contains("URI=\"hls/subtitles-0.m3u8\""), "{master}");
        assert!(text(&server, &format!("{name}/hls/subtitles-0.m3u8")).contains("subtitles-0.vtt"));
        let cues = text(&server, &format!("{name}/hls/subtitles-0.vtt"));
        assert!(cues.starts_with("WEBVTT\nX-TIMESTAMP-MAP="), "{cues}");
        assert!(cues.ends_with("00:00:01.000 --> 00:00:02.500\nGrüße &amp; mehr\n\n"), "{name}: {cues}");
    }
}
