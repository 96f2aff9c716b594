//! The warning about a proxy that hides who connects: said once, and only where it matters.

use crate::server::{Server, http};
use crate::wire::{Place, Transport, Wire};

const WARNING: &str = "set trust_local = false in [access]";
const FORWARDED: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.3";

fn warnings(server: Server) -> usize {
    server.end().matches(WARNING).count()
}

/// So many players at once.
fn crowd(server: &Server, count: usize, place: Place) -> Vec<Wire> {
    let open = |_| {
        let mut wire = Wire::open(server, Transport::Rtmp, place);
        wire.connect("live");
        wire
    };
    (0..count).map(open).collect()
}

#[test]
fn a_crowd_of_rtmp_clients_from_here_is_a_sign_and_told_once() {
    let server = Server::start("");
    let crowd = crowd(&server, 40, Place::Near);
    server.must_say("RTMP clients at once come from this machine itself");
    http(&server, Place::Near, FORWARDED, "");
    drop(crowd);
    assert_eq!(warnings(server), 1);
}

#[test]
fn a_forwarding_header_from_here_is_a_sign_and_told_once_without_its_value() {
    let server = Server::start("");
    for _ in 0..3 {
        http(&server, Place::Near, FORWARDED, "");
    }
    server.must_say("the header x-forwarded-for");
    let said = server.end();
    assert_eq!(said.matches(WARNING).count(), 1);
}

#[test]
fn what_is_no_sign_is_not_told() {
    let server = Server::start("");
    drop(crowd(&server, 8, Place::Near));
    drop(crowd(&server, 40, Place::Far));
    http(&server, Place::Far, FORWARDED, "");
    assert_eq!(warnings(server), 0);
    let server = Server::start("[access]\ntrust_local = false\n");
    drop(crowd(&server, 40, Place::Near));
    http(&server, Place::Near, FORWARDED, "");
    assert_eq!(warnings(server), 0);
}
