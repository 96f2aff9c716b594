//! Both sides in memory, and the contract: how the bytes were cut never changes the events.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_media::MediaKind;
use headwater_media::amf::Object;
use proptest::prelude::*;

use super::kit::{self, chunks, connect, greeting};
use crate::command::{Command, PublishKind};
use crate::handshake::{Form, Nonce, Schema};
use crate::message::{UserControl, type_id};
use crate::session::{ClientEvent, ClientSession, PlayOptions, ServerConfig, ServerEvent, ServerSession};
use crate::{Error, MessageStreamId};

/// A client and a server that accepts everything, and a wire that cuts.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    to_client: BytesMut,
    to_server: BytesMut,
    cut: usize,
    at_client: Vec<ClientEvent>,
    at_server: Vec<Heard>,
}

impl Pair {
    fn new(cut: usize) -> Self {
        let url = "rtmp://h/live/cam".parse().unwrap();
        Self {
            client: ClientSession::new(Arc::default(), url, Nonce([3; 32]), Duration::ZERO),
            server: ServerSession::new(Arc::new(ServerConfig::default()), Nonce([4; 32]), Duration::ZERO),
            to_client: BytesMut::new(),
            to_server: BytesMut::new(),
            cut,
            at_client: Vec::new(),
            at_server: Vec::new(),
        }
    }

    /// Until neither has anything to say.
    fn settle(&mut self) {
        loop {
            let up = self.client.output().drain();
            for piece in up.chunks(self.cut) {
                self.to_server.extend_from_slice(piece);
                while let Some(event) = self.server.read(&mut self.to_server).unwrap() {
                    let heard = accept(&mut self.server, event);
                    self.at_server.push(heard);
                }
            }
            let down = self.server.output().drain();
            for piece in down.chunks(self.cut) {
                self.to_client.extend_from_slice(piece);
                while let Some(event) = self.client.read(&mut self.to_client).unwrap() {
                    self.at_client.push(event);
                }
            }
            if up.is_empty() && down.is_empty() {
                return;
            }
        }
    }
}

/// What a server hears.
#[derive(Debug, PartialEq)]
enum Heard {
    /// A request, as it reads; it was accepted if it is one that is.
    Asked(String),
    Told(ServerEvent),
}

fn accept(server: &mut ServerSession, event: ServerEvent) -> Heard {
    let is_told = matches!(event, ServerEvent::Media { .. } | ServerEvent::Data { .. });
    let words = if is_told { String::new() } else { format!("{event:?}") };
    kit::accept(server, event).map_or(Heard::Asked(words), Heard::Told)
}

/// A publisher and a player on one connection, from the first byte to the last.
fn whole_life(cut: usize) -> (Vec<ClientEvent>, Vec<Heard>) {
    let mut pair = Pair::new(cut);
    pair.settle();
    assert_eq!(pair.client.handshake_form(), Some(Form::Digest(Schema::DigestFirst)));
    pair.client.publish("cam", PublishKind::Live).unwrap();
    pair.settle();
    let (publisher, player) = (MessageStreamId(1), MessageStreamId(2));
    pair.client.play("cam", PlayOptions::default()).unwrap();
    pair.settle();
    let picture = Bytes::from(vec![0x17; 70_000]);
    for time in [0, 0xFF_FFFF, u32::MAX] {
        pair.client.send_media(publisher, MediaKind::Video, time, std::slice::from_ref(&picture)).unwrap();
        pair.client.send_media(publisher, MediaKind::Audio, time, &[Bytes::new()]).unwrap();
        pair.server.send_media(player, MediaKind::Video, time, std::slice::from_ref(&picture)).unwrap();
        pair.settle();
    }
    pair.client.seek(player, 1).unwrap();
    pair.client.delete_stream(player);
    pair.client.delete_stream(publisher);
    pair.server.ping(9);
    pair.settle();
    (pair.at_client, pair.at_server)
}

#[test]
fn a_whole_life_is_the_same_however_the_bytes_are_cut() {
    let whole = whole_life(usize::MAX);
    assert!(whole.0.contains(&ClientEvent::PlayStarted { stream: MessageStreamId(2) }));
    assert_eq!(whole.1.last(), Some(&Heard::Told(ServerEvent::Pong { sent_ms: 9 })));
    let media =
        whole.1.iter().filter(|event| matches!(event, Heard::Told(ServerEvent::Media { .. }))).count();
    assert_eq!(media, 6);
    for cut in [1, 2, 3, 127, 1460, 60_001] {
        assert!(whole_life(cut) == whole, "cut at {cut}");
    }
}

/// What a server makes of these bytes, fed in pieces of these sizes in turn.
fn run(bytes: &[u8], cuts: &[usize]) -> (Vec<Heard>, Option<Error>) {
    let mut server = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([4; 32]), Duration::ZERO);
    let (mut input, mut events, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    for &cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(cut.clamp(1, rest.len()));
        rest = after;
        input.extend_from_slice(piece);
        loop {
            match server.read(&mut input) {
                Ok(Some(event)) => {
                    events.push(accept(&mut server, event));
                }
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        server.output().drain();
    }
    (events, None)
}

fn any_command() -> impl Strategy<Value = Bytes> {
    let name = prop::sample::select(vec![
        "createStream",
        "deleteStream",
        "closeStream",
        "publish",
        "play",
        "play2",
        "pause",
        "seek",
        "receiveAudio",
        "FCPublish",
        "FCUnpublish",
        "getStreamLength",
        "onStatus",
        "nonsense",
    ]);
    let argument = prop_oneof![
        (0u32..4).prop_map(|number| headwater_media::amf::Value::Number(number.into())),
        "[a-c./?]{0,4}".prop_map(|text| headwater_media::amf::Value::string(&text)),
        any::<bool>().prop_map(headwater_media::amf::Value::Boolean),
        Just(headwater_media::amf::Value::Object(Object::new().with("streamName", "x"))),
    ];
    (name, 0u32..3, 0u32..3, prop::collection::vec(argument, 0..4)).prop_map(
        |(name, stream, transaction, arguments)| {
            let command = Command { arguments, ..Command::new(name, transaction.into()) };
            chunks(stream, type_id::COMMAND, 0, &command.encode())
        },
    )
}

fn any_message() -> impl Strategy<Value = Bytes> {
    let type_id = prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 8, 9, 15, 16, 17, 18, 19, 20, 22, 99]);
    let payload = prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..200);
    (type_id, 0u32..3, any::<u32>(), payload)
        .prop_filter("a new chunk size would need a sender that obeys it", |(type_id, ..)| *type_id != 1)
        .prop_map(|(type_id, stream, time, payload)| chunks(stream, type_id, time, &payload))
}

fn conversation(messages: &[Bytes]) -> Vec<u8> {
    let mut bytes = greeting();
    bytes.extend_from_slice(&chunks(0, type_id::COMMAND, 0, &connect("live").encode()));
    let ping = UserControl::PingRequest(1).encode();
    bytes.extend_from_slice(&chunks(0, type_id::USER_CONTROL, 0, &ping));
    messages.iter().for_each(|message| bytes.extend_from_slice(message));
    bytes
}

proptest! {
    #[test]
    fn how_a_conversation_is_cut_never_changes_its_events(
        messages in prop::collection::vec(prop_oneof![4 => any_command(), 2 => any_message()], 0..20),
        cuts in prop::collection::vec(1usize..300, 1..20),
    ) {
        let bytes = conversation(&messages);
        let whole = run(&bytes, &[usize::MAX]);
        prop_assert_eq!(&run(&bytes, &cuts), &whole);
        prop_assert_eq!(&run(&bytes, &[1]), &whole);
    }

    #[test]
    fn any_bytes_never_panic(
        garbage in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..24], 0..500),
        connected: bool,
        cuts in prop::collection::vec(1usize..50, 1..10),
    ) {
        let mut bytes = if connected { conversation(&[]) } else { greeting() };
        bytes.extend_from_slice(&garbage);
        let whole = run(&bytes, &[usize::MAX]);
        prop_assert_eq!(run(&bytes, &cuts), whole);
    }

    #[test]
    fn any_bytes_never_panic_a_client(garbage in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..24], 0..500)) {
        let url = "rtmp://h/live/cam".parse().unwrap();
        let mut client = ClientSession::new(Arc::default(), url, Nonce([3; 32]), Duration::ZERO);
        let mut bytes = greeting();
        bytes.extend_from_slice(&chunks(0, type_id::COMMAND, 0, &Command::result(1.0).encode()));
        bytes.extend_from_slice(&garbage);
        let mut input = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = client.read(&mut input) {}
    }
}
