//! Who may publish: rules × transports × places × keys, and the ways in which clients send a key.

use crate::server::Server;
use crate::wire::{Place, Transport, Wire};

const KEY: &str = "pa/ss+wo=rd%of+mine";
const CODED: &str = "pa%2Fss%2Bwo%3Drd%25of%2Bmine";

/// What follows a stream's name, and what is said of it where a key is needed.
const SHOWN: [(&str, &str); 6] = [
    ("", "needs the publish key"),
    ("?key=", "needs the publish key"),
    ("?key=wrong-wrong", "publish key is wrong"),
    ("?key=pa", "publish key is wrong"),
    ("?key=pa/ss+wo=rd%of+mine", ""),
    ("?key=pa%2Fss%2Bwo%3Drd%25of%2Bmine", ""),
];

fn server(rules: &str) -> Server {
    Server::start(&format!("[access]\n{rules}\npublish_key = \"{KEY}\"\n"))
}

#[test]
fn a_key_is_asked_for_alike_over_all_transports() {
    use {Place as P, Transport as T};
    let places = [
        (T::Rtmp, P::Near),
        (T::Rtmp, P::Far),
        (T::Rtmps, P::Near),
        (T::Rtmps, P::Far),
        (T::Rtmpt, P::Near),
        (T::Rtmpt, P::Far),
        (T::Rtmpt, P::Forwarded),
    ];
    for (rules, trusts_local, is_open) in [
        ("", true, false),
        ("trust_local = false", false, false),
        ("publish = \"key\"", false, false),
        ("publish = \"open\"\ntrust_local = false", false, true),
    ] {
        let server = server(rules);
        for (transport, place) in places {
            for (number, (shown, fault)) in SHOWN.into_iter().enumerate() {
                let asked = format!("{rules:?}, {transport:?}, {place:?}, {shown:?}");
                let name = format!("{transport:?}{place:?}{number}{shown}");
                let mut wire = Wire::open(&server, transport, place);
                let published = wire.connect("live").publish(&name);
                if is_open || (trusts_local && place == P::Near) || fault.is_empty() {
                    published.unwrap_or_else(|said| panic!("{asked}: {said}"));
                    continue;
                }
                let said = published.expect_err(&asked);
                assert!(said.contains("NetStream.Publish.Denied") && said.contains(fault), "{asked}: {said}");
                let is_elsewhere = rules.is_empty() && place == P::Far && fault.starts_with("needs");
                assert_eq!(said.contains("from another machine"), is_elsewhere, "{asked}: {said}");
            }
        }
    }
}

#[test]
fn a_key_counts_wherever_a_client_puts_it_raw_or_coded() {
    let server = server("publish = \"key\"");
    let forms = |key: &str| {
        let cut = key.split_once('/').map(|(front, back)| {
            // FFmpeg and librtmp cut at slashes, also at one in the key.
            (format!("live/cut?key={front}"), back.to_owned())
        });
        let mut forms = vec![
            ("live".to_owned(), format!("name?key={key}")),
            ("live".to_owned(), format!("among?a=b&key={key}&c=d")),
            // OBS with the key in the server's field.
            (format!("live?key={key}"), "app".to_owned()),
            // Flash Media Live Encoder.
            (format!("live?key={key}/fmle"), String::new()),
        ];
        forms.extend(cut);
        forms
    };
    // Each in its own app: a publisher that has just gone may still hold its name.
    let raw = forms(KEY).into_iter();
    let coded = forms(CODED).into_iter().map(|(app, name)| (app.replacen("live", "coded", 1), name));
    for (app, name) in raw.chain(coded) {
        let mut wire = Wire::open(&server, Transport::Rtmp, Place::Far);
        let published = wire.connect(&app).publish(&name);
        published.unwrap_or_else(|said| panic!("{app:?} {name:?}: {said}"));
        let status = wire.rest();
        assert!(!status.contains("ss+wo"), "{app:?} {name:?}: {status}");
    }
    let log = server.end();
    let both = ["live", "coded"]
        .iter()
        .flat_map(|app| ["name", "among", "app", "fmle"].map(|name| format!("{app}/{name}")));
    for name in both.chain(["live/cut".to_owned()]) {
        assert!(log.contains(&format!("stream={name} ")), "{name} was not published: {log}");
    }
}

#[test]
fn a_refused_key_is_logged_with_the_reason_and_counted() {
    let server = server("");
    let mut wire = Wire::open(&server, Transport::Rtmp, Place::Far);
    wire.connect("live").publish("cam?key=wrong-wrong").unwrap_err();
    server.must_say("publish \"live/cam\" refused: The publish key is wrong");
}
