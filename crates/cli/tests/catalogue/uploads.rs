//! Uploads: cut anywhere and gone on with, two at once, names that lead elsewhere, no token, a full disk.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{Answer, Server, answer, testdata};

const UPLOADS: &str = "/api/v1/uploads";
/// A machine that runs tests may have little room.
const CONFIG: &str = "[uploads]\nfree_min_bytes = 0\nread_timeout_ms = 1000\n";

fn begin(server: &Server, order: &Value) -> Answer {
    server.request("POST", UPLOADS, &[("Content-Type", "application/json")], order.to_string().as_bytes())
}

/// Begins an upload that must be taken; its address.
fn begun(server: &Server, name: &str, bytes: usize) -> String {
    let answer = begin(server, &json!({"app": "vod", "name": name, "bytes": bytes})).must_be(201);
    let place = answer.header("location").unwrap().to_owned();
    assert_eq!(answer.json()["offset"], 0);
    assert!(place.ends_with(answer.json()["id"].as_str().unwrap()));
    place
}

fn patch(server: &Server, place: &str, offset: usize, bytes: &[u8]) -> Answer {
    server.request("PATCH", place, &[("Upload-Offset", &offset.to_string())], bytes)
}

fn offset(server: &Server, place: &str) -> usize {
    let answer = server.get(place).must_be(200);
    let offset = answer.json()["offset"].as_u64().unwrap() as usize;
    assert_eq!(answer.header("upload-offset").unwrap(), offset.to_string());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    offset
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_film_that_was_brought_can_be_watched() {
    let server = Server::start(CONFIG);
    let film = fs::read(testdata("bframes.mp4")).unwrap();
    let place = begun(&server, "a folder/ein Film ü.mp4", film.len());
    let (first, rest) = film.split_at(film.len() / 3);
    let answer = patch(&server, &place, 0, first).must_be(200);
    assert_eq!(
        (answer.json()["offset"].as_u64().unwrap() as usize, answer.json()["done"].as_bool()),
        (first.len(), Some(false))
    );
    assert!(!server.media().join("a folder").exists(), "it appears when it is whole");
    let answer = patch(&server, &place, first.len(), rest).must_be(200);
    assert_eq!(answer.json()["done"], true);
    assert_eq!(answer.header("content-location"), Some("/vod/a%20folder/ein%20Film%20%C3%BC.mp4"));
    assert_eq!(fs::read(server.media().join("a folder/ein Film ü.mp4")).unwrap(), film);
    let about = server.get("/api/v1/films/vod/a%20folder/ein%20Film%20%C3%BC.mp4").must_be(200).json();
    assert_eq!(about["tracks"][0]["codec"], "H.264");
    server.get(about["urls"]["thumbnail"].as_str().unwrap()).must_be(200);
    server.get(&place).must_be(404);
    assert_eq!(fs::read_dir(server.data().join("uploads")).unwrap().count(), 0, "nothing is left behind");
}

/// What a client of tus 1.0 says and hears, from what it asks first to what it removes.
#[test]
fn a_client_of_tus_brings_a_film() {
    const RESUMABLE: (&str, &str) = ("Tus-Resumable", "1.0.0");
    const BYTES: (&str, &str) = ("Content-Type", "application/offset+octet-stream");
    let server = Server::start("[uploads]\nfree_min_bytes = 0\nupload_max_bytes = 1000000\n");
    let can = server.request("OPTIONS", UPLOADS, &[], b"").must_be(204);
    assert_eq!(can.header("tus-version"), Some("1.0.0"));
    assert_eq!(can.header("tus-extension"), Some("creation,termination,expiration"));
    assert_eq!(can.header("tus-max-size"), Some("1000000"));

    let film = noise(11, 300_000);
    let create = |length: &str, name: &str| {
        let head = [RESUMABLE, ("Upload-Length", length), ("Upload-Metadata", name)];
        server.request("POST", UPLOADS, &head, b"")
    };
    create("1000001", "filename YS5tcDQ=").must_be(413);
    create("300000", "filetype YS5tcDQ=").must_be(400);
    let made = create("300000", "filename w7wvZmlsbS5tcDQ=,filetype dmlkZW8vbXA0").must_be(201);
    assert_eq!((made.header("tus-resumable"), made.header("upload-offset")), (Some("1.0.0"), Some("0")));
    assert!(made.header("upload-expires").unwrap().ends_with(" GMT"));
    let place = made.header("location").unwrap().to_owned();

    let patch = |offset: usize, head: &[(&str, &str)], body: &[u8]| {
        let offset = offset.to_string();
        let head = [&[("Upload-Offset", offset.as_str())], head].concat();
        server.request("PATCH", &place, &head, body)
    };
    patch(0, &[("Tus-Resumable", "0.2.2"), BYTES], &film).must_be(412);
    patch(0, &[RESUMABLE, ("Content-Type", "video/mp4")], &film).must_be(415);
    let part = patch(0, &[RESUMABLE, BYTES], &film[..100_000]).must_be(204);
    assert_eq!((part.header("upload-offset"), part.body.len()), (Some("100000"), 0));
    patch(0, &[RESUMABLE, BYTES], &film).must_be(409);
    let stands = server.request("HEAD", &place, &[RESUMABLE], b"").must_be(204);
    assert_eq!(
        (stands.header("upload-offset"), stands.header("upload-length")),
        (Some("100000"), Some("300000"))
    );
    assert_eq!(stands.header("cache-control"), Some("no-store"));
    // Where PATCH does not get through.
    let head = [RESUMABLE, BYTES, ("X-HTTP-Method-Override", "PATCH"), ("Upload-Offset", "100000")];
    let done = server.request("POST", &place, &head, &film[100_000..]).must_be(204);
    assert_eq!((done.header("upload-offset"), done.header("upload-expires")), (Some("300000"), None));
    assert!(fs::read(server.media().join("ü/film.mp4")).unwrap() == film);
    let gone = server.request("HEAD", &place, &[RESUMABLE], b"").must_be(404);
    assert_eq!(gone.header("upload-offset"), None);

    let place = create("5", "filename YS5tcDQ=").must_be(201).header("location").unwrap().to_owned();
    let ended = server.request("DELETE", &place, &[RESUMABLE], b"").must_be(204);
    assert_eq!(ended.header("tus-resumable"), Some("1.0.0"));
    server.request("HEAD", &place, &[RESUMABLE], b"").must_be(404);
}

/// Cut at random places, by hanging up or by killing the server.
#[test]
fn an_upload_that_is_cut_goes_on_where_it_stood() {
    let mut server = Server::start(CONFIG);
    let film = noise(7, 3_000_000);
    let place = begun(&server, "cut.mp4", film.len());
    let mut stood = 0;
    for (round, wanted) in [200_000, 1, 700_001, 65_536, 900_000].into_iter().enumerate() {
        let end = stood + wanted;
        let mut peer =
            server.begin("PATCH", &place, &[("Upload-Offset", &stood.to_string())], film.len() - stood);
        peer.write_all(&film[stood..end]).unwrap();
        if round == 2 {
            thread::sleep(Duration::from_millis(1500));
            // Silent for longer than it may be.
            let answer = answer(peer).must_be(408);
            assert_eq!(answer.header("upload-offset").unwrap(), end.to_string());
        } else {
            drop(peer);
        }
        if round == 3 {
            server.restart();
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut now = offset(&server, &place);
        while round != 3 && now < end && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            now = offset(&server, &place);
        }
        assert!(stood <= now && now <= end, "{now} of {end}");
        assert!(round == 3 || now == end, "{now} of {end}: what has come is kept");
        stood = now;
    }
    patch(&server, &place, stood, &film[stood..]).must_be(200);
    assert!(fs::read(server.media().join("cut.mp4")).unwrap() == film);
}

#[test]
fn a_wrong_offset_is_answered_with_the_right_one() {
    let server = Server::start(CONFIG);
    let place = begun(&server, "film.mp4", 100);
    patch(&server, &place, 0, &[1; 40]).must_be(200);
    for wrong in [0, 39, 41, 100, 1 << 40] {
        let answer = patch(&server, &place, wrong, &[2; 10]).must_be(409);
        assert_eq!(
            (answer.header("upload-offset"), answer.json()["offset"].as_u64()),
            (Some("40"), Some(40))
        );
    }
    for bad in ["", "x", "-1", "99999999999999999999999"] {
        server.request("PATCH", &place, &[("Upload-Offset", bad)], &[2; 10]).must_be(400);
    }
    patch(&server, &place, 40, &[2; 61]).must_be(413);
    assert_eq!(offset(&server, &place), 40);
    patch(&server, &place, 40, &[2; 60]).must_be(200);
    assert_eq!(fs::read(server.media().join("film.mp4")).unwrap(), [[1; 40].as_slice(), &[2; 60]].concat());
}

/// The newer request goes on; the older one, whose client has gone unnoticed, gives way.
#[test]
fn a_request_that_hangs_does_not_lock_its_upload() {
    let server = Server::start("[uploads]\nfree_min_bytes = 0\nread_timeout_ms = 60000\n");
    let film = noise(9, 500_000);
    let place = begun(&server, "film.mp4", film.len());
    let mut hanging = server.begin("PATCH", &place, &[("Upload-Offset", "0")], film.len());
    hanging.write_all(&film[..123_456]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let stands = offset(&server, &place);
        let answer = patch(&server, &place, stands, &film[stands..]);
        if answer.status == 200 {
            break;
        }
        assert!(answer.status == 409 && Instant::now() < deadline, "{}", answer.head);
    }
    answer(hanging).must_be(408);
    assert!(fs::read(server.media().join("film.mp4")).unwrap() == film);
}

#[test]
fn two_uploads_at_once_do_not_meet() {
    let server = Server::start(CONFIG);
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let server = &server;
            scope.spawn(move || {
                let film = noise(number + 40, 400_000);
                let name = format!("{number}.flv");
                let place = begun(server, &name, film.len());
                for (at, piece) in film.chunks(70_000).enumerate() {
                    patch(server, &place, at * 70_000, piece).must_be(200);
                }
                assert!(fs::read(server.media().join(name)).unwrap() == film);
            });
        }
    });
}

#[test]
fn a_name_that_is_taken_stays_with_its_film() {
    let server = Server::start(CONFIG);
    fs::write(server.media().join("film.mp4"), b"the old one").unwrap();
    begin(&server, &json!({"app": "vod", "name": "film.mp4", "bytes": 3})).must_be(409);
    let place = begun(&server, "late.mp4", 3);
    fs::write(server.media().join("late.mp4"), b"was quicker").unwrap();
    patch(&server, &place, 0, b"new").must_be(412);
    assert_eq!(fs::read(server.media().join("late.mp4")).unwrap(), b"was quicker");
    // Once the name is free, nothing has to be sent again.
    fs::remove_file(server.media().join("late.mp4")).unwrap();
    patch(&server, &place, 3, b"").must_be(200);
    assert_eq!(fs::read(server.media().join("late.mp4")).unwrap(), b"new");
    let order = json!({"app": "vod", "name": "film.mp4", "bytes": 3, "replace": true});
    let place = begin(&server, &order).must_be(201).header("location").unwrap().to_owned();
    assert_eq!(server.get("/vod/film.mp4").must_be(200).text(), "the old one");
    patch(&server, &place, 0, b"new").must_be(200);
    assert_eq!(server.get("/vod/film.mp4").must_be(200).text(), "new");
    assert_eq!(fs::read(server.media().join("film.mp4")).unwrap(), b"new");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let server = Server::start(CONFIG);
    let outside = server.data().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret.mp4"), b"secret").unwrap();
    #[cfg(unix)]
    for (link, target) in [("link", &outside), ("link.mp4", &outside.join("secret.mp4"))] {
        std::os::unix::fs::symlink(target, server.media().join(link)).unwrap();
    }
    fs::write(server.media().join("file.mp4"), b"x").unwrap();
    let long = format!("{}.mp4", "x".repeat(300));
    let longer = format!("{}x.mp4", "x/".repeat(600));
    let deep = format!("{}x.mp4", "x/".repeat(40));
    for name in [
        "../film.mp4",
        "a/../film.mp4",
        "..",
        ".",
        "",
        "/etc/film.mp4",
        "a//film.mp4",
        "./film.mp4",
        "film.mp4/",
        ".hidden.mp4",
        "a/.hidden/film.mp4",
        "film\0.mp4",
        "film\n.mp4",
        "a\\b.mp4",
        "film.exe",
        "film",
        "film.mp4.sh",
        "link/film.mp4",
        "link.mp4",
        "link/secret.mp4",
        "file.mp4/film.mp4",
        &long,
        &longer,
        &deep,
    ] {
        for replace in [false, true] {
            let order = json!({"app": "vod", "name": name, "bytes": 3, "replace": replace});
            let answer = begin(&server, &order);
            assert!((400..500).contains(&answer.status), "{name:?}: {}", answer.head);
            assert!(answer.json()["error"].as_str().unwrap().len() > 10, "{name:?}: {}", answer.text());
        }
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in [format!("/api/v1/films/vod/{encoded}"), format!("/api/v1/films/vod/{name}")] {
            if path.bytes().all(|byte| byte.is_ascii_graphic()) {
                let answer = server.request("DELETE", &path, &[], b"");
                let gone = path.ends_with("/vod/") && answer.status == 405;
                assert!((400..500).contains(&answer.status) || gone, "{path}: {}", answer.head);
            }
        }
    }
    for app in ["", "live", "..", "vod/..", "VOD"] {
        begin(&server, &json!({"app": app, "name": "film.mp4", "bytes": 3})).must_be(404);
    }
    assert_eq!(fs::read(outside.join("secret.mp4")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert!(server.media().join("file.mp4").exists());
    assert_eq!(fs::read_dir(server.data().join("uploads")).map_or(0, Iterator::count), 0);
}

/// A way that becomes a link between the beginning and the end of an upload.
#[cfg(unix)]
#[test]
fn a_directory_that_becomes_a_link_is_noticed() {
    let server = Server::start(CONFIG);
    let place = begun(&server, "way/film.mp4", 3);
    let outside = server.data().join("outside");
    fs::create_dir_all(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, server.media().join("way")).unwrap();
    patch(&server, &place, 0, b"new").must_be(403);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn nobody_uploads_or_removes_without_the_token() {
    let server = Server::start(CONFIG);
    fs::write(server.media().join("film.mp4"), b"x").unwrap();
    let place = begun(&server, "new.mp4", 3);
    let token = server.admin_token();
    let bearer = format!("Bearer {token}");
    let order = json!({"app": "vod", "name": "b.mp4", "bytes": 3}).to_string();
    // By a foreign name, as from another machine.
    let far = ("Host", "films.example:8080");
    let calls: [(&str, &str, &[u8]); 8] = [
        ("GET", UPLOADS, b""),
        ("POST", UPLOADS, order.as_bytes()),
        ("GET", &place, b""),
        ("PATCH", &place, b"new"),
        ("DELETE", &place, b""),
        ("GET", "/api/v1/films", b""),
        ("DELETE", "/api/v1/films/vod/film.mp4", b""),
        ("DELETE", "/api/v1/films/vod/nothing.mp4", b""),
    ];
    for (method, path, body) in calls {
        for wrong in ["", "Bearer wrong", "Basic eDp5"] {
            let headers = [far, ("Authorization", wrong), ("Upload-Offset", "0")];
            server.request(method, path, &headers[..if wrong.is_empty() { 1 } else { 3 }], body).must_be(401);
        }
        // A page of another site in this machine's browser.
        if method != "GET" {
            let page =
                [("Origin", "http://evil.example"), ("Content-Type", "text/plain"), ("Upload-Offset", "0")];
            server.request(method, path, &page, body).must_be(403);
            let page =
                [("Origin", "http://localhost"), ("Sec-Fetch-Site", "same-site"), ("Upload-Offset", "0")];
            server.request(method, path, &page, body).must_be(403);
        }
    }
    assert!(server.media().join("film.mp4").exists() && offset(&server, &place) == 0);
    // Watching is open; with the token everything is.
    server.request("GET", "/api/v1/films/vod/film.mp4", &[far], b"").must_be(415);
    let allowed = [far, ("Authorization", &bearer), ("Upload-Offset", "0")];
    server.request("PATCH", &place, &allowed, b"new").must_be(200);
    server.request("DELETE", "/api/v1/films/vod/new.mp4", &allowed, b"").must_be(204);
    assert!(!server.media().join("new.mp4").exists());
}

#[test]
fn limits_hold_at_their_edges() {
    let server = Server::start("[uploads]\nfree_min_bytes = 0\nuploads_max = 2\nupload_max_bytes = 1000\n");
    for bytes in [0, 1001] {
        begin(&server, &json!({"app": "vod", "name": "film.mp4", "bytes": bytes})).must_be(413);
    }
    let first = begun(&server, "1.mp4", 1000);
    begun(&server, "2.mp4", 1);
    begin(&server, &json!({"app": "vod", "name": "3.mp4", "bytes": 1})).must_be(429);
    assert_eq!(server.get(UPLOADS).must_be(200).json()["uploads"].as_array().unwrap().len(), 2);
    server.request("DELETE", &first, &[], b"").must_be(204);
    server.request("DELETE", &first, &[], b"").must_be(404);
    patch(&server, &first, 0, b"x").must_be(404);
    begun(&server, "3.mp4", 1);
    for bad in ["", "{", "[]", "{\"app\":\"vod\"}", "{\"app\":\"vod\",\"name\":\"a.mp4\",\"bytes\":-1}"] {
        server.request("POST", UPLOADS, &[], bad.as_bytes()).must_be(400);
    }
    server.request("POST", UPLOADS, &[], &[b' '; 10_000]).must_be(413);
    server.get("/api/v1/uploads/..%2F..%2Fsecrets").must_be(404);
}

#[test]
fn uploading_can_be_forbidden_and_the_disk_kept_free() {
    let order = json!({"app": "vod", "name": "film.mp4", "bytes": 1});
    let server = Server::start("[uploads]\nfree_min_bytes = 0\nuploads_max = 0\n");
    begin(&server, &order).must_be(429);
    // More room than any disk has.
    let server = Server::start("[uploads]\nfree_min_bytes = 9000000000000000000\n");
    let answer = begin(&server, &order).must_be(507);
    assert!(answer.json()["error"].as_str().unwrap().contains("free_min_bytes"), "{}", answer.text());
    assert_eq!(fs::read_dir(server.data().join("uploads")).map_or(0, Iterator::count), 0);
}

#[test]
fn what_nobody_goes_on_with_is_removed() {
    let config = "[uploads]\nfree_min_bytes = 0\nkeep_ms = 1500\n";
    let mut server = Server::start(config);
    let place = begun(&server, "film.mp4", 100);
    patch(&server, &place, 0, &[1; 40]).must_be(200);
    server.restart();
    assert_eq!(offset(&server, &place), 40);
    fs::write(server.data().join("uploads/lonely.part"), b"no note").unwrap();
    fs::write(server.data().join("uploads/broken.toml"), b"no order").unwrap();
    thread::sleep(Duration::from_millis(2000));
    server.restart();
    server.get(&place).must_be(404);
    assert_eq!(fs::read_dir(server.data().join("uploads")).unwrap().count(), 0);
}

/// The data directory may lie on another disk than the films: then a whole file is copied and then named.
#[cfg(target_os = "linux")]
#[test]
fn a_film_changes_disks() {
    use std::os::unix::fs::MetadataExt;
    let mut server = Server::start(CONFIG);
    let other = std::path::PathBuf::from(format!("/dev/shm/headwater-catalogue-{}", std::process::id()));
    if fs::create_dir(&other).is_err()
        || fs::metadata(&other).unwrap().dev() == fs::metadata(server.media()).unwrap().dev()
    {
        println!("SKIPPED: there is no other disk here");
        return;
    }
    let _ = fs::remove_dir(server.data().join("uploads"));
    std::os::unix::fs::symlink(&other, server.data().join("uploads")).unwrap();
    server.restart();
    let film = noise(77, 300_000);
    for (name, replace) in [("film.mp4", false), ("film.mp4", true)] {
        let order = json!({"app": "vod", "name": name, "bytes": film.len(), "replace": replace});
        let place = begin(&server, &order).must_be(201).header("location").unwrap().to_owned();
        patch(&server, &place, 0, &film).must_be(200);
        assert!(fs::read(server.media().join(name)).unwrap() == film);
    }
    let place = begun(&server, "late.mp4", 3);
    fs::write(server.media().join("late.mp4"), b"was quicker").unwrap();
    patch(&server, &place, 0, b"new").must_be(412);
    assert_eq!(fs::read_dir(server.media()).unwrap().count(), 2, "no copy is left behind");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 2, "the part and its note are kept");
    fs::remove_dir_all(&other).unwrap();
}
