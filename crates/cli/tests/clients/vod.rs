//! Films: for every form of file what the doors deliver, access unit by access unit, against what ffprobe reads in
//! the file itself.

use std::path::Path;
use std::process::Command;

use headwater_media::flv::TagReader;

use crate::films::{self, Recipe};
use crate::harness::{Server, headwater};
use crate::program::needs;
use crate::receivers::{OpenDirectory, vlc};
use crate::recording::{Recording, compare, whole};

const LIMIT_S: u64 = 60;

/// The name of a file as an address has it.
pub(crate) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// `headwater play` records a film; its time is that of the film.
fn play(server: &Server, url: &str, file: &str) -> Recording {
    let mut command = headwater();
    command.args(["play", url, "-o"]).arg(server.file(file));
    server.run(file, command).succeed(LIMIT_S);
    Recording::read(&server.file(file))
}

#[track_caller]
fn assert_same(what: &str, source: &Recording, received: &Recording) {
    if let Err(wrong) = compare(source, received, whole(source)) {
        panic!("{what}: {wrong}");
    }
    // Nothing is live here that could be lost with a player.
    assert_eq!(
        (received.video.len(), received.audio.len()),
        (source.video.len(), source.audio.len()),
        "{what}: pictures and sounds"
    );
}

#[test]
fn every_form_of_film_over_rtmp() {
    needs!("ffmpeg", "ffprobe");
    let recipes = films::recipes();
    let directory = films::made(&recipes[0]);
    recipes.iter().for_each(|recipe| drop(films::made(recipe)));
    let server = Server::start_with_films(directory.parent());
    for (number, Recipe(name, _)) in recipes.iter().enumerate() {
        let mut source = Recording::read(&films::film(name));
        if *name == "cmaf.mp4" {
            // Of fragments with offsets below zero ffprobe shifts what is shown; not so of the same pictures here.
            source.video = Recording::read(&films::film("negative.mp4")).video;
        }
        let received = play(&server, &server.rtmp_film(&encoded(name)), &format!("{number}.flv"));
        assert_same(name, &source, &received);
    }
}

#[test]
fn a_film_beyond_four_gigabytes_over_rtmp() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start_with_films(None);
    let source = films::film("fragments.mp4");
    films::far_away(&source, &server.file("media/far.mp4"));
    let received = play(&server, &server.rtmp_film("far"), "far.flv");
    assert_same("far.mp4", &Recording::read(&source), &received);
}

#[test]
fn a_damaged_film_plays_up_to_the_damage() {
    needs!("ffmpeg", "ffprobe");
    let server = Server::start_with_films(None);
    for (film, note) in [("front.m4v", "beyond the end of the file"), ("flash.flv", "ends inside the tag")] {
        let (source, cut) = (films::film(film), server.file("media").join(film));
        films::start_of(&source, 0.6, &cut);
        // It was written long ago.
        assert!(Command::new("touch").args(["-d", "2020-01-01"]).arg(&cut).status().unwrap().success());
        let source = Recording::read(&source);
        let received = play(&server, &server.rtmp_film(film), &format!("{film}.flv"));
        let units = received.video.len() + received.audio.len();
        let all = source.video.len() + source.audio.len();
        assert!(units * 2 > all && units < all, "{film}: {units} of {all}");
        let wanted = |_: &Recording| crate::recording::Wanted { to_end: false, ..whole(&source) };
        compare(&source, &received, wanted(&source)).unwrap();
        let log = server.program.log();
        assert!(log.contains(note), "{film}: {log}");
    }
}

#[test]
fn what_is_no_film_is_refused_in_a_sentence() {
    needs!("ffmpeg");
    let server = Server::start_with_films(None);
    let names = films::no_films(&server.file("media"));
    for name in names {
        let mut ffmpeg = server.ffmpeg(name, &format!("-i {} -f null", server.rtmp_film(name)), "-");
        assert!(!ffmpeg.wait(LIMIT_S).success());
        let answer = server.request("GET", &format!("/vod/{name}/index.m3u8"));
        assert!(
            answer.starts_with("HTTP/1.1 415 ") && answer.contains("cannot be played"),
            "{name}: {answer}"
        );
    }
    let log = server.program.log();
    for reason in ["it is empty", "it is neither FLV nor MP4"] {
        assert!(log.contains(reason), "{log}");
    }
    assert!(Path::new(&server.file("media/nothing.mp4")).exists());
}

/// What curl saves of an address.
fn fetch(server: &Server, address: &str, file: &str) -> std::path::PathBuf {
    let path = server.file(file);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail-with-body", "-o"]).arg(&path).arg(address);
    server.run(file, curl).succeed(LIMIT_S);
    path
}

#[test]
fn every_form_of_film_over_http_as_it_is_and_in_the_other_container() {
    needs!("ffmpeg", "ffprobe", "curl");
    let recipes = films::recipes();
    let directory = films::made(&recipes[0]);
    recipes.iter().for_each(|recipe| drop(films::made(recipe)));
    // Of two films of one stem each address means its own.
    let server = Server::start_with_films(None);
    for (number, Recipe(name, _)) in recipes.iter().enumerate() {
        let (_, extension) = name.rsplit_once('.').unwrap();
        let (own, other) = (format!("{number}.{extension}"), if extension == "flv" { "mp4" } else { "flv" });
        std::fs::copy(directory.parent().unwrap().join(name), server.file("media").join(&own)).unwrap();
        let same = fetch(&server, &server.http_film(&own), &own);
        assert!(std::fs::read(same).unwrap() == std::fs::read(films::film(name)).unwrap(), "{name}");
        if *name == "sorenson.flv" {
            // MP4 has no place for it.
            let answer = server.request("GET", &format!("/vod/{number}.{other}"));
            assert!(answer.starts_with("HTTP/1.1 4") && answer.contains("Sorenson"), "{answer}");
            continue;
        }
        let mut source = Recording::read(&films::film(name));
        if *name == "cmaf.mp4" {
            source.video = Recording::read(&films::film("negative.mp4")).video;
        }
        let made = fetch(
            &server,
            &server.http_film(&format!("{number}.{other}")),
            &format!("made-{number}.{other}"),
        );
        assert_same(&format!("{name} as {other}"), &source, &Recording::read(&made));
    }
}

#[test]
fn languages_are_renditions_to_choose_from() {
    needs!("ffmpeg", "ffprobe");
    let film = films::languages();
    let server = Server::start_with_films(film.parent());
    let master = server.request("GET", "/vod/languages.mp4/index.m3u8");
    let renditions: Vec<&str> =
        master.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:TYPE=AUDIO")).collect();
    assert_eq!(renditions.len(), 2, "{master}");
    for language in ["en", "de"] {
        let named = |line: &&&str| line.contains(&format!("LANGUAGE=\"{language}\""));
        assert_eq!(renditions.iter().filter(named).count(), 1, "{language}: {master}");
    }
    let about = server.request("GET", "/api/v1/films/vod/languages.mp4");
    assert!(about.contains("\"language\":\"deu\"") && about.contains("\"language\":\"eng\""), "{about}");
}

#[test]
fn rtmpdump_takes_parts_and_goes_on_with_a_cut_file() {
    needs!("ffmpeg", "ffprobe", "rtmpdump");
    let film = films::film("plain.mp4");
    let server = Server::start_with_films(film.parent());
    let (url, file) = (server.rtmp_film("plain.mp4"), server.file("dumped.flv"));
    let rtmpdump = |label: &str, more: &[&str]| {
        let mut command = Command::new("rtmpdump");
        command.args(["-r", &url, "-o"]).arg(&file).args(more);
        // A part is "incomplete" to it.
        assert!(matches!(server.run(label, command).wait(LIMIT_S).code(), Some(0 | 2)), "{label}");
    };
    rtmpdump("part", &["--start", "2", "--stop", "4"]);
    let part = Recording::read(&file);
    let source = Recording::read(&film);
    let begins = part.video[0].hash == source.video[50].hash && part.video[0].key;
    assert!(begins && (2_000.0..2_200.0).contains(&part.video[0].dts_ms), "{:?}", part.video[0]);

    rtmpdump("whole", &[]);
    let whole = std::fs::read(&file).unwrap();
    // It goes on behind whole tags only.
    let mut tags = TagReader::default();
    tags.feed(&whole);
    let ends = std::iter::from_fn(|| tags.next_tag().unwrap()).map(|tag| tag.position as usize);
    let cut = ends.take_while(|end| *end < whole.len() * 2 / 3).last().unwrap();
    std::fs::write(&file, &whole[..cut]).unwrap();
    rtmpdump("rest", &["--resume"]);
    assert_same("rtmpdump --resume", &source, &Recording::read(&file));
}

#[test]
fn ffmpeg_and_our_client_begin_in_the_middle() {
    needs!("ffmpeg", "ffprobe");
    let film = films::film("plain.mp4");
    let source = Recording::read(&film);
    let server = Server::start_with_films(film.parent());
    let received = server.file("sought.flv");
    let url = server.rtmp_film("plain.mp4");
    server
        .ffmpeg("seek", &format!("-rtmp_buffer 1000 -ss 3.5 -i {url} -c copy -f flv"), &received)
        .succeed(LIMIT_S);
    let sought = Recording::read(&received);
    assert_eq!(sought.video[0].hash, source.video[75].hash, "the key frame at 3 s");
    assert_eq!(sought.video.len(), 75);

    let mut command = headwater();
    command.args(["play", &url, "--start", "2", "--duration", "1.5", "-o"]).arg(server.file("part.flv"));
    server.run("part", command).succeed(LIMIT_S);
    let part = Recording::read(&server.file("part.flv"));
    assert_eq!(part.video[0].hash, source.video[50].hash);
    assert!((36..=40).contains(&part.video.len()), "{}", part.video.len());
}

#[test]
fn vlc_begins_at_the_second_that_it_is_told() {
    needs!("ffmpeg", "ffprobe", "cvlc");
    let film = films::film("plain.mp4");
    let server = Server::start_with_films(film.parent());
    let directory = OpenDirectory::new();
    for (door, url) in [("rtmp", server.rtmp_film("plain.mp4")), ("http", server.http_film("plain.mp4"))] {
        let file = directory.0.join(format!("{door}.flv"));
        let mut command = vlc(&url, &file);
        command.args(["--start-time=3", "--play-and-exit", "vlc://quit"]);
        server.run(door, command).wait(LIMIT_S);
        let pictures = Recording::read(&file).video;
        // The key frame at 3 s, and half of the film behind it.
        assert!(pictures[0].key && (74..=76).contains(&pictures.len()), "{door}: {}", pictures.len());
    }
}

#[test]
fn mpv_seeks_at_every_door() {
    needs!("ffmpeg", "mpv");
    let film = films::film("plain.mp4");
    let server = Server::start_with_films(film.parent());
    for (door, url) in [
        ("rtmp", server.rtmp_film("plain.mp4")),
        ("file", server.http_film("plain.mp4")),
        ("flv", server.http_film("flash.flv")),
    ] {
        let mut command = Command::new("mpv");
        command.args(["--no-config", "--vo=null", "--ao=null", "--untimed", "--start=4"]);
        command.args(["--term-status-msg=at ${=time-pos}", &url]);
        let mut mpv = server.run(door, command);
        mpv.succeed(LIMIT_S);
        let log = mpv.log();
        let time = |said: &str| said.split_whitespace().next()?.parse::<f64>().ok();
        let times: Vec<f64> = log.split("at ").filter_map(time).collect();
        let first = times.iter().copied().find(|time| *time > 0.0);
        assert!(first.is_some_and(|first| (3.0..=4.2).contains(&first)), "{door}: {first:?} of {log}");
        assert!(times.iter().any(|time| *time > 5.0), "{door}: {log}");
    }
}
