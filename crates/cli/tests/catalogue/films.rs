//! The catalogue: what it says of films, how quickly, and what becomes of a film that is removed.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::server::{Server, testdata};

#[test]
fn a_film_is_described() {
    let server = Server::start("");
    fs::create_dir(server.media().join("sub")).unwrap();
    fs::copy(testdata("bframes.mp4"), server.media().join("sub/film.mp4")).unwrap();
    for name in ["film.en.vtt", "film.vtt", "films.en.vtt", "film.txt", ".film.de.vtt"] {
        fs::write(server.media().join("sub").join(name), b"WEBVTT\n").unwrap();
    }
    let about = server.get("/api/v1/films/vod/sub/film").must_be(200).json();
    let bytes = fs::metadata(testdata("bframes.mp4")).unwrap().len();
    assert_eq!((about["app"].as_str(), about["name"].as_str()), (Some("vod"), Some("sub/film.mp4")));
    assert_eq!(about["bytes"].as_u64(), Some(bytes));
    assert!((1.9..2.2).contains(&about["duration"].as_f64().unwrap()), "{about}");
    let (video, audio) = (&about["tracks"][0], &about["tracks"][1]);
    assert_eq!((video["kind"].as_str(), video["codec"].as_str()), (Some("video"), Some("H.264")));
    assert!(video["codec_string"].as_str().unwrap().starts_with("avc1."));
    assert!(video["width"].as_u64() > Some(0) && video["bitrate"].as_u64() > Some(1000), "{about}");
    assert_eq!((audio["kind"].as_str(), audio["codec_string"].as_str()), (Some("audio"), Some("mp4a.40.2")));
    let subtitles: Vec<(Option<&str>, &str)> = about["subtitles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["language"].as_str(), one["url"].as_str().unwrap()))
        .collect();
    let text = |number| format!("/vod/sub/film.mp4/hls/subtitles-{number}.vtt");
    assert_eq!(subtitles, [(Some("en"), &*text(0)), (None, &*text(1))]);
    let read = server.get(&text(0)).must_be(200);
    assert!(read.text().starts_with("WEBVTT\n"), "{}", read.text());
    let urls = &about["urls"];
    assert_eq!(urls["hls"], "/vod/sub/film.mp4/index.m3u8");
    assert_eq!(
        (&urls["flv"], &urls["watch"]),
        (&"/vod/sub/film.flv".into(), &"/watch/vod/sub/film.mp4".into())
    );
    assert!(urls["rtmp"].as_str().unwrap().starts_with("rtmp://localhost:"), "{urls}");
    assert!(urls["rtmp"].as_str().unwrap().ends_with("/vod/sub/film"), "{urls}");
    server.get("/api/v1/films/vod/nothing.mp4").must_be(404);
    server.get("/api/v1/films/live/film.mp4").must_be(404);
    server.get("/api/v1/films/vod/..%2F..%2Fdata%2Fsecrets.toml").must_be(403);
}

/// What `headwater probe` says of a file.
fn probed(file: &Path) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    let output = command.args(["probe", "--json"]).arg(file).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn frames_that_describe_themselves_do_so_in_the_report_of_probe() {
    let number = |track: &serde_json::Value, key: &str| track[key].as_u64();
    let probed = |name: &str| probed(&testdata(name))["tracks"].clone();
    let pictures = &probed("vp9.flv")[0];
    assert_eq!((number(pictures, "width"), number(pictures, "height")), (Some(160), Some(90)));
    let [mp3, ac3] = [probed("mp3.flv"), probed("ac3.flv")];
    assert_eq!((number(&mp3[1], "sample_rate"), number(&mp3[1], "channels")), (Some(44_100), Some(2)));
    assert_eq!((number(&ac3[0], "sample_rate"), number(&ac3[0], "channels")), (Some(48_000), Some(6)));
}

#[test]
fn he_aac_is_described_by_its_frames_though_its_configuration_does_not_announce_it() {
    let server = Server::start("");
    for (name, codec, channels) in [
        ("he-aac.mp4", "mp4a.40.5", 2),
        ("he-aac-mono.mp4", "mp4a.40.5", 1),
        ("he-aac-v2.mp4", "mp4a.40.29", 2),
    ] {
        fs::copy(testdata(name), server.media().join(name)).unwrap();
        let about = server.get(&format!("/api/v1/films/vod/{name}")).must_be(200).json();
        let sound = &about["tracks"][0];
        assert_eq!(sound["codec_string"], codec, "{about}");
        assert_eq!(
            (sound["sample_rate"].as_u64(), sound["channels"].as_u64()),
            (Some(48_000), Some(channels))
        );
        let playlist = server.get(&format!("/vod/{name}/index.m3u8")).must_be(200);
        assert!(playlist.text().contains(&format!("CODECS=\"{codec}\"")), "{}", playlist.text());
        let probed = probed(&server.media().join(name));
        let sound = &probed["tracks"][0];
        assert_eq!(
            (&sound["codec_string"], &sound["sample_rate"]),
            (&codec.into(), &48_000.into()),
            "{name}"
        );
        let lasts = |about: &serde_json::Value, key: &str| about[key].as_f64().unwrap();
        assert!((lasts(&about, "duration") - lasts(&probed, "duration_seconds")).abs() < 0.001);
    }
}

#[test]
fn a_file_of_another_container_is_listed_with_what_makes_a_film_of_it() {
    let server = Server::start("");
    fs::create_dir(server.media().join("sub")).unwrap();
    fs::write(server.media().join("sub/a show.mkv"), b"\x1a\x45\xdf\xa3").unwrap();
    let films = server.get("/api/v1/films").must_be(200).json()["films"].clone();
    assert_eq!(films.as_array().unwrap().len(), 1);
    assert_eq!(
        (films[0]["name"].as_str(), films[0]["container"].as_str()),
        (Some("sub/a show.mkv"), Some("Matroska"))
    );
    let command = films[0]["command"].as_str().unwrap();
    assert!(
        command.starts_with("ffmpeg -i 'a show.mkv' ") && command.ends_with(" 'a show.mp4'"),
        "{command}"
    );
    assert!(films[0]["error"].as_str().unwrap().contains(command));
    let refused = server.get("/api/v1/films/vod/sub/a%20show.mkv").must_be(415).text();
    assert!(refused.contains("Matroska") && refused.contains(command), "{refused}");
    server.get("/vod/sub/a%20show.mkv").must_be(404);
}

#[test]
fn a_start_behind_the_end_is_refused_in_every_container() {
    let server = Server::start("");
    fs::copy(testdata("keyframes.flv"), server.media().join("old.flv")).unwrap();
    fs::copy(testdata("bframes.mp4"), server.media().join("new.mp4")).unwrap();
    for film in ["old", "new"] {
        let container = if film == "old" { "flv" } else { "mp4" };
        let about = server.get(&format!("/api/v1/films/vod/{film}.{container}")).must_be(200).json();
        let end = about["duration"].as_f64().unwrap();
        for container in ["flv", "mp4"] {
            for start in
                [format!("{:.3}", end + 0.001), (end.ceil() + 1.0).to_string(), "99999999".to_owned()]
            {
                let refused =
                    server.get(&format!("/vod/{film}.{container}?start={start}")).must_be(404).text();
                assert!(refused.contains(&format!("ends after {end:.3} s")), "{start}: {refused}");
            }
            server.get(&format!("/vod/{film}.{container}?start={:.3}", end - 0.01)).must_be(200);
            for span in ["start=2&end=1", "start=2&end=2", "end=0", "start=99999999&end=1"] {
                let refused = server.get(&format!("/vod/{film}.{container}?{span}")).must_be(400).text();
                assert!(refused.contains("not behind the start"), "{span}: {refused}");
            }
            for wrong in ["start=-1", "start=1e3", "end=x"] {
                let refused = server.get(&format!("/vod/{film}.{container}?{wrong}")).must_be(400).text();
                assert!(refused.contains("a number of seconds from 0 on, like 12.5"), "{wrong}: {refused}");
            }
        }
        // A byte is one where the query says so.
        for behind in [99_999_999, u64::MAX] {
            server.get(&format!("/vod/{film}.flv?pos={behind}")).must_be(200);
        }
    }
}

#[test]
fn what_is_not_there_is_null_for_who_asks_for_null() {
    let server = Server::start("");
    for address in ["/api/v1/films/vod/none.mp4", "/api/v1/streams/live/none"] {
        server.get(address).must_be(404);
        assert!(server.get(&format!("{address}?absent=null")).must_be(200).json().is_null());
    }
}

#[test]
fn the_catalogue_is_searched_and_turned_over() {
    let server = Server::start("");
    for number in 0..7 {
        fs::copy(testdata("faststart.mp4"), server.media().join(format!("Ärger {number}.mp4"))).unwrap();
    }
    fs::write(server.media().join("broken.mp4"), [7; 3000]).unwrap();
    fs::write(server.media().join("notes.txt"), b"").unwrap();
    let all = server.get("/api/v1/films").must_be(200).json();
    assert_eq!(all["total"], 8);
    let films = all["films"].as_array().unwrap();
    assert_eq!(films[0]["name"], "broken.mp4");
    assert!(films[0]["error"].as_str().unwrap().len() > 10 && films[0]["duration"].is_null(), "{}", films[0]);
    assert!(films[1]["duration"].as_f64() > Some(1.0), "{}", films[1]);
    let page = server.get("/api/v1/films?search=%C3%A4rger%20mp&offset=5&limit=3").must_be(200).json();
    assert_eq!((page["total"].as_u64(), page["films"].as_array().unwrap().len()), (Some(7), 2));
    assert_eq!(page["films"][1]["name"], "Ärger 6.mp4");
    let none = server.get("/api/v1/films?app=other&offset=99999999999&limit=0").must_be(200).json();
    assert_eq!((none["total"].as_u64(), none["films"].as_array().unwrap().len()), (Some(0), 0));
    server.get(&format!("/api/v1/films?search={}", "x".repeat(300))).must_be(400);
    server.get("/api/v1/films?limit=-1").must_be(400);
}

/// The time is printed, not asserted; that only a page is read is.
#[test]
fn ten_thousand_films_are_listed_without_being_read() {
    let server = Server::start("");
    let film = testdata("mp3.mp4");
    for number in 0..10_000 {
        let folder = server.media().join(format!("{:02}", number / 100));
        if number % 100 == 0 {
            fs::create_dir(&folder).unwrap();
        }
        // Links of the hard kind are files like any other and take no room.
        fs::hard_link(&film, folder.join(format!("{number:05}.mp4")))
            .or_else(|_| fs::copy(&film, folder.join(format!("{number:05}.mp4"))).map(|_| ()))
            .unwrap();
    }
    for _ in 0..2 {
        let began = Instant::now();
        let all = server.get("/api/v1/films").must_be(200).json();
        println!("a page of 10,000 films: {:?}", began.elapsed());
        assert_eq!((all["total"].as_u64(), all["films"].as_array().unwrap().len()), (Some(10_000), 50));
    }
}

#[test]
fn a_film_that_is_removed_is_gone_but_for_those_who_watch_it() {
    let server = Server::start("");
    let file = server.media().join("film.mp4");
    fs::copy(testdata("bframes.mp4"), &file).unwrap();
    fs::write(server.media().join("film.en.vtt"), b"WEBVTT\n").unwrap();
    server.get("/api/v1/films/vod/film.mp4").must_be(200);
    let seen = server.get("/vod/film.mp4/thumbnail.jpg?t=0").must_be(200);
    // Not by a name without its extension, and not when it has changed since.
    server.request("DELETE", "/api/v1/films/vod/film", &[], b"").must_be(404);
    let other = [("If-Match", seen.header("etag").unwrap())];
    server.request("DELETE", "/api/v1/films/vod/film.mp4", &other, b"").must_be(412);
    let mut open = fs::File::open(&file).unwrap();
    let now = server.request("HEAD", "/vod/film.mp4", &[], b"").must_be(200);
    let now = [("If-Match", now.header("etag").unwrap())];
    server.request("DELETE", "/api/v1/films/vod/film.mp4", &now, b"").must_be(204);
    for path in ["/api/v1/films/vod/film.mp4", "/vod/film.mp4/thumbnail.jpg?t=0", "/vod/film.mp4"] {
        server.get(path).must_be(404);
    }
    server.request("DELETE", "/api/v1/films/vod/film.mp4", &[], b"").must_be(404);
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, fs::read(testdata("bframes.mp4")).unwrap());
    assert_eq!(server.get("/api/v1/films").must_be(200).json()["total"], 0);
    assert!(server.media().join("film.en.vtt").exists());
}

/// A player over HTTP-FLV or RTMP holds the file open; here the plainest one, RTMP through the binary itself.
#[test]
fn a_film_that_is_removed_is_played_to_its_end() {
    let server = Server::start("");
    fs::copy(testdata("bframes.mp4"), server.media().join("film.mp4")).unwrap();
    let rtmp = server.get("/api/v1/films/vod/film.mp4").must_be(200).json();
    let rtmp = rtmp["urls"]["rtmp"].as_str().unwrap().replace("localhost", "127.0.0.1");
    let out = server.data().join("played.flv");
    let mut player = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["play", &rtmp, "-o"])
        .arg(&out)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + std::time::Duration::from_secs(20);
    while fs::metadata(&out).map_or(0, |about| about.len()) < 10_000 {
        assert!(Instant::now() < deadline, "nothing is played");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server.request("DELETE", "/api/v1/films/vod/film.mp4", &[], b"").must_be(204);
    assert!(player.wait().unwrap().success());
    let mut played = Vec::new();
    fs::File::open(&out).unwrap().read_to_end(&mut played).unwrap();
    // Everything but MP4's tables.
    let film = fs::metadata(testdata("bframes.mp4")).unwrap().len() as usize;
    assert!(played.len() > film * 9 / 10, "{} of {film} bytes were played", played.len());
}
