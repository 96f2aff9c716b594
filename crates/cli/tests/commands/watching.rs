//! `headwater play` and `probe`: while they wait, what they leave behind, how they end, and what they can look at.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::place::{Place, Server, flv_in_pieces, testdata};

#[test]
fn who_waits_for_a_stream_is_told_so_and_no_file_stays_behind() {
    let place = Place::new();
    let server = Server::serve(&place, "[streams]\nwait_ms = 4000\n");
    fs::write(place.file("older.mp4"), "an older recording").unwrap();
    let before = place.names();
    let rtmp = format!("{}/live/nobody", server.url("rtmp"));
    let flv = format!("{}/live/nobody.flv", server.url("http"));
    for arguments in [
        &["play", rtmp.as_str(), "-o", "new.flv"][..],
        &["play", &rtmp, "-o", "new.mp4"],
        &["play", &rtmp, "-o", "older.mp4"],
        &["play", &flv, "-o", "new.flv"],
        &["probe", &rtmp],
        &["probe", &flv],
    ] {
        let ended = place.run(arguments);
        assert!(!ended.is_good, "{arguments:?}: {ended:?}");
        let waits: Vec<_> =
            ended.said.lines().filter(|line| line.starts_with("waiting for live/nobody …, ")).collect();
        assert_eq!(waits.len(), 1, "{arguments:?}: {ended:?}");
        assert!(waits[0].ends_with(" s left"), "{waits:?}");
        assert_eq!(place.names(), before, "{arguments:?}");
    }
    assert_eq!(fs::read(place.file("older.mp4")).unwrap(), b"an older recording");
}

#[test]
fn who_waits_for_a_playlist_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live/slow/index.m3u8?key=not-for-others", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (held, _) = listener.accept().unwrap();
        thread::sleep(Duration::from_secs(3));
        drop(held);
    });
    let ended = Place::new().run(&["check-hls", &url]);
    assert!(!ended.is_good, "{ended:?}");
    let waits: Vec<_> = ended.said.lines().filter(|line| line.starts_with("waiting for ")).collect();
    assert_eq!(waits.len(), 1, "{ended:?}");
    assert!(
        waits[0].starts_with("waiting for live/slow's playlist …, 5") && waits[0].ends_with(" s left"),
        "{waits:?}"
    );
}

#[test]
fn a_stream_without_a_frame_is_no_success() {
    let url = flv_in_pieces(Vec::new(), Duration::ZERO);
    let place = Place::new();
    for output in [&["-o", "a.flv"][..], &["-o", "a.mp4"], &[]] {
        let ended = place.run(&[&["play", url.as_str(), "--json"], output].concat());
        assert!(!ended.is_good && ended.said.contains("no frame has come"), "{ended:?}");
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!((&report["frames"], &report["files"]), (&0.into(), &Value::from(Vec::<String>::new())));
    }
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[test]
fn an_address_without_a_stream_is_asked_for() {
    let place = Place::new();
    let server = Server::serve(&place, "");
    let app = format!("{}/live", server.url("rtmp"));
    for bare in [app.clone(), format!("{app}/"), format!("{app}?key=not-for-others")] {
        for arguments in
            [vec!["play", &bare], vec!["probe", &bare], vec!["publish", &testdata("bframes.mp4"), &bare]]
        {
            let ended = place.run(&arguments);
            let asked = format!("{app} names no stream: an address looks like rtmp://HOST/APP/NAME");
            assert!(!ended.is_good && ended.said.contains(&asked), "{arguments:?}: {ended:?}");
            assert!(!ended.said.contains("not-for-others"), "{ended:?}");
        }
    }
    assert!(!server.said().contains("live/live"), "{}", server.said());
}

#[test]
fn who_reads_enough_of_standard_output_ends_it_quietly() {
    let place = Place::new();
    let server = Server::demo(&place);
    let url = format!("{}/live/demo", server.url("rtmp"));
    let mut play = place.headwater(&["play", &url, "-o", "-"]);
    let mut play = play.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 1000];
    play.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let ended = play.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && start.starts_with(b"FLV"), "{said}");
    assert!(
        !said.contains("pipe") && !said.contains("headwater:") && said.starts_with("received "),
        "{said}"
    );
    // What others print is read by half as well.
    for arguments in
        [&["check", "--print-default"][..], &["completions", "bash"], &["probe", &testdata("bframes.mp4")]]
    {
        let mut child = place.headwater(arguments);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && said.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn films_hls_and_flv_over_http_are_looked_into() {
    let place = Place::new();
    let film = testdata("bframes.mp4");
    fs::create_dir(place.file("media")).unwrap();
    fs::copy(&film, place.file("media/film.mp4")).unwrap();
    fs::copy(testdata("demo.flv"), place.file("media/long.flv")).unwrap();
    let server = Server::serve(&place, "");
    let vod = format!("{}/vod/film", server.url("http"));
    let probe = |target: &str| -> Value {
        let ended = place.run(&["probe", "--json", "--duration", "600", target]);
        assert!(ended.is_good, "{target}: {ended:?}");
        serde_json::from_str(&ended.out).unwrap()
    };
    let tracks = |report: &Value| -> Vec<[Value; 5]> {
        let keys = ["kind", "codec_string", "width", "sample_rate", "frames"];
        let mut tracks: Vec<_> = report["tracks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|track| keys.map(|key| track[key].clone()))
            .collect();
        tracks.sort_by_key(|track| track[0].to_string());
        tracks
    };
    let wanted = probe(&film);
    assert_eq!(tracks(&wanted).len(), 2, "{wanted}");
    for target in [
        format!("{vod}.mp4"),
        format!("{vod}.mp4/index.m3u8"),
        format!("{vod}.flv"),
        format!("{vod}.mp4?a=b"),
    ] {
        let report = probe(&target);
        assert_eq!(tracks(&report), tracks(&wanted), "{target}");
        assert_eq!(report["target"], target);
        assert!(report["duration_seconds"].as_f64() > Some(1.9), "{target}: {report}");
    }
    // Of HLS no more is fetched than was asked for.
    let long = format!("{}/vod/long.flv/index.m3u8", server.url("http"));
    let ended = place.run(&["probe", "--json", "--duration", "1", &long]);
    let part: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(part["bytes"].as_u64() < probe(&long)["bytes"].as_u64().map(|all| all / 2 * 3 / 2), "{part}");
    for (target, fault) in [
        (format!("{vod}.mp4/none.m3u8"), "the server answers 404"),
        (format!("{}/vod/none.mp4", server.url("http")), "the server answers 404"),
    ] {
        let ended = place.run(&["probe", &target]);
        assert!(!ended.is_good && ended.said.contains(fault) && ended.said.contains(&target), "{ended:?}");
    }
}

#[test]
fn a_certificate_made_at_home_is_trusted_where_it_is_named() {
    let place = Place::new();
    // As `openssl req -x509` makes one: an authority, and the server's own.
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().unwrap();
    place.write("certificate.pem", &params.self_signed(&key).unwrap().pem());
    place.write("key.pem", &key.serialize_pem());
    place.write("another.pem", &params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem());
    let server = Server::serve(&place, "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n");
    let secure = |listener: &str| server.url(listener).replace("127.0.0.1", "localhost");
    let url = format!("{}/live/a", secure("rtmps"));
    let film = testdata("bframes.mp4");
    let publish = |ca: &[&str]| place.run(&[&["publish", "--speed", "20", &film, &url], ca].concat());
    let ended = publish(&["--ca", "certificate.pem"]);
    assert!(ended.is_good, "{ended:?}");
    for ca in [&[][..], &["--ca", "another.pem"]] {
        let ended = publish(ca);
        assert!(!ended.is_good && ended.said.contains("no TLS with localhost"), "{ended:?}");
    }
    let by_address = url.replace("localhost", "127.0.0.1");
    let ended = place.run(&["publish", "--ca", "certificate.pem", &film, &by_address]);
    assert!(!ended.is_good && ended.said.contains("no TLS with 127.0.0.1"), "{ended:?}");
    let film = format!("{}/vod/none.mp4", secure("https"));
    let ended = place.run(&["probe", &film, "--ca", "certificate.pem"]);
    assert!(ended.said.contains("the server answers 404"), "{ended:?}");
}
