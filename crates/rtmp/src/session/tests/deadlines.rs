//! Deadlines, on a clock of the test's own.

use std::time::Duration;

use super::kit::Dialogue;
use crate::MessageStreamId;
use crate::command::{Command, PublishKind, Status, code};
use crate::message::type_id;
use crate::session::{PlayOptions, ServerConfig, TimedOut, Timeouts};

const TIMEOUTS: Timeouts = Timeouts { setup: s(10), read: s(20), write: s(30) };

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn config() -> ServerConfig {
    ServerConfig { timeouts: TIMEOUTS, ..ServerConfig::default() }
}

#[test]
fn a_client_says_in_time_what_it_wants_and_what_it_wants_next() {
    let mut client = Dialogue::connected_with(config());
    client.session.heard(s(9));
    client.says(0, Command::new("createStream", 4.0));
    client.heard_lines();
    client.events();
    assert_eq!(client.session.next_deadline(), Some(s(10)), "bytes alone are no answer");
    assert_eq!(client.session.check(s(10) - Duration::from_nanos(1)), Ok(()));
    assert_eq!(client.session.check(s(10)), Err(TimedOut::Setup(s(10))));

    client.says(1, Command::new("play", 5.0).with("cam"));
    client.accepts();
    assert_eq!(client.session.next_deadline(), None, "a player may be silent for hours");
    assert_eq!(client.session.check(s(5000)), Ok(()));
    client.session.heard(s(5007));
    client.says(1, Command::new("closeStream", 0.0));
    client.events();
    assert_eq!(client.session.next_deadline(), Some(s(5017)));
    assert_eq!(client.session.check(s(5017)), Err(TimedOut::Setup(s(10))));
}

#[test]
fn what_begins_and_stops_within_one_read_counts_from_there() {
    let mut client = Dialogue::connected_with(config());
    client.session.heard(s(8));
    client.says(0, Command::new("createStream", 4.0));
    client.says(1, Command::new("publish", 5.0).with("cam").with("live"));
    client.says(0, Command::new("deleteStream", 0.0).with(1.0));
    client.accepts();
    client.events();
    assert_eq!(client.session.next_deadline(), Some(s(18)));
}

#[test]
fn a_publisher_may_not_be_silent() {
    let mut client = Dialogue::connected_with(config());
    client.says(0, Command::new("createStream", 4.0));
    client.says(1, Command::new("publish", 5.0).with("cam").with("live"));
    client.session.heard(s(2));
    client.accepts();
    assert_eq!(client.session.next_deadline(), Some(s(22)));
    client.sends(1, type_id::AUDIO, 0, b"x");
    client.session.heard(s(7));
    client.events();
    assert_eq!(client.session.next_deadline(), Some(s(27)));
    assert_eq!(client.session.check(s(26)), Ok(()));
    assert_eq!(client.session.check(s(27)), Err(TimedOut::Read(s(20))));
}

#[test]
fn a_player_takes_something_of_what_waits() {
    let mut client = Dialogue::connected_with(config());
    client.says(0, Command::new("createStream", 4.0));
    client.says(1, Command::new("play", 5.0).with("cam"));
    client.accepts();
    client.session.sent(s(1), 1000, false);
    assert_eq!(client.session.next_deadline(), None);
    client.session.sent(s(2), 1000, true);
    client.session.sent(s(3), 1000, true);
    assert_eq!(client.session.next_deadline(), Some(s(32)), "since when nothing was taken");
    client.session.sent(s(31), 1001, true);
    assert_eq!(client.session.check(s(60)), Ok(()), "a slow line is not a dead one");
    assert_eq!(client.session.check(s(61)), Err(TimedOut::Write(s(30))));
    client.session.sent(s(62), 2000, false);
    assert_eq!(client.session.check(s(1000)), Ok(()));
}

#[test]
fn a_limit_that_never_ends_is_none() {
    let timeouts = Timeouts { setup: Duration::MAX, ..TIMEOUTS };
    let mut client = Dialogue::with_server(ServerConfig { timeouts, ..ServerConfig::default() });
    client.session.heard(s(1));
    assert_eq!(client.session.next_deadline(), None);
    assert_eq!(client.session.check(Duration::MAX), Ok(()));
}

#[test]
fn a_server_answers_in_time_and_sends_while_we_play() {
    let mut server = Dialogue::let_in();
    let Timeouts { setup, read, .. } = Timeouts::default();
    assert_eq!(server.session.next_deadline(), Some(setup));
    server.session.publish("cam", PublishKind::Live).unwrap();
    server.says(0, Command::new("_result", 4.0).with(1.0));
    server.says_status(1, &Status::new(code::PUBLISH_START, "go"));
    server.events();
    assert_eq!(server.session.next_deadline(), None, "towards a publisher a server may be silent");
    assert_eq!(server.session.check(s(100)), Ok(()));
    server.session.delete_stream(MessageStreamId(1));
    assert_eq!(server.session.next_deadline(), Some(s(100) + setup));

    server.session.play("cam", PlayOptions::default()).unwrap();
    server.says(0, Command::new("_result", 7.0).with(1.0));
    server.says_status(1, &Status::new(code::PLAY_START, ""));
    server.session.heard(s(110));
    server.events();
    assert_eq!(server.session.next_deadline(), Some(s(110) + read));
    assert_eq!(server.session.check(s(110) + read), Err(TimedOut::Read(read)));
}
