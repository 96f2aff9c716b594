//! Planted secrets, used rightly and wrongly in every way; then everything that was said is searched for them.

use crate::server::{Server, http};
use crate::wire::{Place, Transport, Wire};

/// Every part between separators begins alike, so that a part is found as well as the whole.
const KEY: &str = "qzpub1/qzpub2+qzpub3=%2Fqzpub4";
const KEY_CODED: &str = "qzpub1%2Fqzpub2%2Bqzpub3%3D%252Fqzpub4";
const TOKEN: &str = "qzadm1/qzadm2+qzadm3=%2Fqzadm4";
const TOKEN_CODED: &str = "qzadm1%2Fqzadm2%2Bqzadm3%3D%252Fqzadm4";

#[track_caller]
fn must_not_tell(said: &str, what: &str) {
    let told = said.lines().find(|line| line.contains("qzpub") || line.contains("qzadm"));
    assert!(told.is_none(), "{what} tells a part of a secret: {told:?}");
}

/// App and name as clients send a secret, rightly and not.
fn forms(key: &str) -> Vec<(String, String)> {
    let mut forms = vec![
        ("live".to_owned(), format!("a?key={key}")),
        (format!("live?key={key}"), "b".to_owned()),
        (format!("live?key={key}/c"), String::new()),
        // The secret as the stream's name, and as a part of it.
        ("live".to_owned(), key.to_owned()),
        ("live".to_owned(), format!("x-{key}-y?key=wrong-wrong")),
        (format!("live/{key}"), "d".to_owned()),
    ];
    if let Some((front, back)) = key.split_once('/') {
        forms.push((format!("live/e?key={front}"), back.to_owned()));
        forms.push((format!("live/e?key={front}"), format!("{back}&more=1")));
        // Nothing but an app.
        forms.push((format!("live/g?key={key}"), String::new()));
        // Under another name, and under none.
        forms.push((format!("live/f?{front}"), back.to_owned()));
        forms.push((format!("live/f?kei={front}"), back.to_owned()));
        forms.push((format!("live/f?token={front}"), back.to_owned()));
    }
    forms
}

fn over_rtmp(server: &Server) {
    let wrong = format!("{KEY}x");
    for place in [Place::Near, Place::Far] {
        for key in [KEY, KEY_CODED, TOKEN, TOKEN_CODED] {
            for (app, name) in forms(key) {
                let mut wire = Wire::open(server, Transport::Rtmp, place);
                let published = wire.connect(&app).publish(&name);
                must_not_tell(
                    &published.err().unwrap_or_default(),
                    &format!("{place:?} publish {app} {name}"),
                );
                must_not_tell(&wire.rest(), &format!("{place:?} publish {app} {name}"));
                let mut wire = Wire::open(server, Transport::Rtmp, place);
                let said = wire.connect(&app).play(&name).rest();
                must_not_tell(&said, &format!("{place:?} play {app} {name}"));
            }
        }
        // One letter too many, and cut.
        for (app, name) in [forms(&wrong).remove(0), forms(&wrong).remove(6)] {
            let mut wire = Wire::open(server, Transport::Rtmpt, place);
            let said = wire.connect(&app).publish(&name).unwrap_err();
            must_not_tell(&said, &format!("{place:?} publish {app} {name}"));
        }
    }
}

fn over_http(server: &Server) {
    for place in [Place::Near, Place::Far] {
        for path in
            ["/", "/login", "/metrics", "/api/v1/info", "/api/v1/streams", "/api/v1/films", "/api/v1/uploads"]
        {
            for shown in [
                String::new(),
                format!("Authorization: Bearer {TOKEN}"),
                format!("Authorization: Bearer {TOKEN}x"),
                format!("Authorization: Bearer {KEY}"),
                format!("Cookie: headwater_session={TOKEN_CODED}"),
            ] {
                let shown = if shown.is_empty() { shown } else { format!("\r\n{shown}") };
                let answer =
                    http(server, place, &format!("GET {path} HTTP/1.1\r\nHost: localhost{shown}"), "");
                must_not_tell(&answer, &format!("{place:?} {path} {shown}"));
            }
        }
        for path in [
            format!("/live/a.flv?key={KEY_CODED}"),
            format!("/live/{KEY_CODED}.flv"),
            format!("/live/{TOKEN_CODED}.flv"),
            format!("/api/v1/streams/live/{KEY_CODED}"),
            format!("/vod/{TOKEN_CODED}.mp4/index.m3u8"),
            format!("/watch/live/a?key={KEY_CODED}"),
        ] {
            let answer = http(server, place, &format!("HEAD {path} HTTP/1.1\r\nHost: localhost"), "");
            must_not_tell(&answer, &format!("{place:?} {path}"));
        }
        for (token, status) in [(format!("{TOKEN_CODED}x"), "401"), (KEY_CODED.to_owned(), "401")] {
            let answer =
                http(server, place, "POST /login HTTP/1.1\r\nHost: localhost", &format!("token={token}"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            must_not_tell(&answer, "the form");
        }
        // The cookie names a session, and tells nothing of the token.
        let answer =
            http(server, place, "POST /login HTTP/1.1\r\nHost: localhost", &format!("token={TOKEN_CODED}"));
        let cookie = answer.lines().find_map(|line| line.strip_prefix("Set-Cookie: headwater_session="));
        let session = cookie.and_then(|cookie| cookie.split(';').next()).unwrap().to_owned();
        must_not_tell(&answer, "the cookie");
        let streams =
            format!("GET /api/v1/streams HTTP/1.1\r\nHost: localhost\r\nCookie: headwater_session={session}");
        assert!(http(server, place, &streams, "").starts_with("HTTP/1.1 200"), "{place:?}");
    }
}

#[test]
fn no_part_of_a_secret_is_told_to_anybody() {
    let server = Server::start(&format!(
        "[access]\npublish = \"key\"\npublish_key = {KEY:?}\nadmin_token = {TOKEN:?}\n[streams]\nwait_ms = 1000\n"
    ));
    over_rtmp(&server);
    over_http(&server);
    let said = server.end();
    assert!(said.contains("DEBUG") && said.contains("refused"), "{said}");
    must_not_tell(&said, "the log");
}

#[test]
fn made_secrets_are_told_once_in_the_banner() {
    let server = Server::start("");
    let kept = std::fs::read_to_string(server.directory.0.join("data/secrets.toml")).unwrap();
    let secrets: Vec<_> = kept.lines().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect();
    let mut wire = Wire::open(&server, Transport::Rtmp, Place::Far);
    wire.connect("live").publish(&format!("a?key={}", secrets[0])).unwrap();
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ";
    let answer = http(&server, Place::Far, &format!("{metrics}{}", secrets[1]), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let said = server.end();
    for secret in secrets {
        assert_eq!(said.matches(&secret).count(), 1, "{said}");
    }
}

#[test]
fn the_client_tells_no_key_either() {
    let server = Server::start(&format!("[access]\npublish_key = {KEY:?}\n"));
    let clip = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/video.flv");
    let rtmp = crate::wire::rtmp(&server);
    for url in [
        format!("http://localhost/live/a?key={KEY}"),
        format!("rtmp://?key={KEY}"),
        format!("rtmp://127.0.0.1:1/live/a?key={KEY}"),
        format!("rtmp://{rtmp}/live/{KEY}"),
        format!("rtmp://{rtmp}/live/a?key={KEY}"),
    ] {
        let mut publish = std::process::Command::new(env!("CARGO_BIN_EXE_headwater"));
        publish.args(["--log", "trace", "publish", "--speed", "100"]).arg(&clip).arg(&url);
        let output = publish.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        must_not_tell(&String::from_utf8_lossy(&said), "publish");
    }
}
