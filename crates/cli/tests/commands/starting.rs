//! The first start and the second: where the server says that it is, what the keys are and where, and its log.

use std::net::UdpSocket;

use crate::place::{Place, Server, testdata};

#[test]
fn listeners_are_named_by_a_port_an_address_or_a_name_everywhere() {
    let place = Place::new();
    place.write("file.toml", "[rtmp]\nlisten = 0\n[http]\nlisten = \"localhost:0\"\n");
    for (flags, variables) in [
        (&["--rtmp", "0", "--http", ":0"][..], &[][..]),
        (&["--rtmp", "localhost:0", "--http", "127.0.0.1:0"], &[]),
        (&[], &[("HEADWATER_RTMP", "localhost:0"), ("HEADWATER_HTTP", "0")]),
        (&["-c", "file.toml"], &[]),
    ] {
        let mut command = place.headwater(&["serve", "--data", "data"]);
        command.args(flags).envs(variables.iter().copied());
        let server = Server::start(command);
        for listener in ["rtmp", "http"] {
            assert!(server.url(listener).contains("://127.0.0.1:"), "{flags:?}: {}", server.said());
        }
    }
    for (flag, wrong, fault) in [
        ("--rtmp", "everywhere", "says no port"),
        ("--https", "no-such-host.invalid:1", "has no address here"),
        ("--http", "::1:80", "stands in brackets"),
    ] {
        let ended = place.run(&["serve", flag, wrong]);
        assert!(!ended.is_good && ended.said.contains(fault) && ended.said.contains(flag), "{ended:?}");
    }
    let file = place.write("wrong.toml", "[tls]\n\nhttps = \"everywhere\"\n");
    let ended = place.run(&["check", "-c", file.to_str().unwrap()]);
    assert!(ended.said.contains("line 3") && ended.said.contains("says no port"), "{ended:?}");
}

#[test]
fn other_machines_are_told_the_addresses_of_this_one() {
    // What this machine would send from to one outside; nothing is sent.
    let outside = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.99:9")?;
        socket.local_addr()
    });
    let Some(here) = outside.ok().filter(|here| !here.ip().is_loopback()) else {
        println!("SKIPPED: this machine has no address but its own");
        return;
    };
    let place = Place::new();
    let server = Server::start(place.headwater(&["serve", "--data", "data", "--rtmp", "0", "--http", "0"]));
    let said = server.said();
    let elsewhere = said.split("From other machines, at ").nth(1).unwrap();
    assert!(elsewhere.contains(&here.ip().to_string()), "{said}");
    assert!(
        elsewhere.contains("stream key NAME?key=KEY") && !elsewhere.contains("server rtmp://127."),
        "{said}"
    );
    drop(server);
    let server = Server::serve(&place, "");
    assert!(!server.said().contains("From other machines"), "{}", server.said());
}

#[test]
fn keys_are_shown_by_the_start_that_makes_them_and_later_ones_say_where_they_are() {
    let place = Place::new();
    let first = Server::serve(&place, "").said();
    let kept = place.file("data/secrets.toml");
    let kept_text = std::fs::read_to_string(&kept).unwrap();
    let secrets: Vec<_> = kept_text.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    let second = Server::serve(&place, "").said();
    let file = kept.canonicalize().unwrap();
    for secret in &secrets {
        assert!(first.contains(&format!("{secret}   (made now; kept in ")), "{first}");
        assert!(!second.contains(secret), "{second}");
    }
    assert!(first.contains(file.to_str().unwrap()), "{first}");
    assert_eq!(second.matches(&format!("in {}\n", file.display())).count(), 2, "{second}");
    let third = Server::serve(
        &Place::new(),
        "[access]\npublish_key = \"long-enough\"\nadmin_token = \"long-enough\"\n",
    );
    let said = third.said();
    assert!(said.contains("as the configuration or the environment sets it"), "{said}");
    assert!(!said.contains("made now") && !said.contains("long-enough"), "{said}");
}

#[test]
fn the_log_tells_of_a_publisher_in_words() {
    let place = Place::new();
    let server = Server::serve(&place, "");
    let url = format!("{}/live/a", server.url("rtmp"));
    // Its AAC comes with a configuration in each frame's front.
    assert!(place.run(&["publish", "--speed", "20", &testdata("video.flv"), &url]).is_good);
    server.must_say("stopped publishing");
    let said = server.said();
    let line = said.lines().find(|line| line.contains("stopped publishing")).unwrap();
    for debris in ["Repaired", "{", "=0", "unusable"] {
        assert!(!line.contains(debris), "{debris}: {line}");
    }
}
