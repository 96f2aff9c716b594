//! Shared objects from literal bytes, there and back, and what no bytes may ever do.

use proptest::prelude::*;

use super::SharedObjectEvent::{
    Change, Clear, Release, Remove, RequestChange, RequestRemove, Send, Status, Success, Use, UseSuccess,
};
use super::*;

fn with(events: Vec<SharedObjectEvent>) -> SharedObject {
    SharedObject { type_id: 19, name: "chat".into(), version: 3, persistence: 0, events }
}

fn decode(payload: &[u8]) -> SharedObject {
    SharedObject::decode(19, payload).expect("a shared object")
}

#[test]
fn flash_wants_to_share() {
    let bytes = b"\0\x04chat\0\0\0\x03\0\0\0\0\0\0\0\0\x01\0\0\0\0";
    assert_eq!(decode(bytes), with(vec![Use]));
    assert_eq!(&with(vec![Use]).encode()[..], bytes);
    let answer = with(vec![Use]).answer().expect("an answer");
    assert_eq!(answer, with(vec![UseSuccess, Clear]));
    assert_eq!(&answer.encode()[18..], b"\x0b\0\0\0\0\x08\0\0\0\0");
}

#[test]
fn every_event_there_and_back() {
    let (key, value) = (Text::from("a"), Value::from(1.0));
    let all = with(vec![
        Use,
        Release,
        RequestChange { key: key.clone(), value: value.clone() },
        Change { key: key.clone(), value },
        Success { key: key.clone() },
        Send(vec!["handler".into(), true.into()]),
        Status { code: "SharedObject.NoWriteAccess".into(), level: "error".into() },
        Clear,
        Remove { key: key.clone() },
        RequestRemove { key },
        UseSuccess,
    ]);
    assert_eq!(decode(&all.encode()), all);
    let flex = SharedObject { type_id: 16, ..all };
    assert_eq!(flex.encode()[0], 0);
    assert_eq!(SharedObject::decode(16, &flex.encode()), Some(flex));
}

#[test]
fn values_of_flex_are_amf3() {
    let bytes = b"\x03\0\x01s\0\0\0\0\0\0\0\x02\0\0\0\0\x03\0\0\0\x05\0\x01a\x04\x07";
    let object = SharedObject::decode(16, bytes).expect("a shared object");
    assert_eq!(object.persistence, 2);
    assert_eq!(object.events, [RequestChange { key: "a".into(), value: 7.0.into() }]);
}

#[test]
fn a_change_may_hold_several_values() {
    let bytes = [&with(vec![]).encode()[..], b"\x04\0\0\0\x08\0\x01a\x05\0\x01b\x05"].concat();
    let change = |key: &str| Change { key: key.into(), value: Value::Null };
    assert_eq!(decode(&bytes).events, [change("a"), change("b")]);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let head = with(vec![]).encode();
    // An unknown event, a value that is none, an event longer than the message.
    let bytes = [&head[..], b"\x63\0\0\0\x01x\x03\0\0\0\x04\0\x01a\xff\x01\0\0\0\0\x05\0\0\0\xff"].concat();
    assert_eq!(decode(&bytes).events, [Use]);
    for end in 0..head.len() {
        assert_eq!(SharedObject::decode(19, &head[..end]), None);
    }
}

#[test]
fn length_and_count_are_limited() {
    let many = with(vec![Use; 300]).encode();
    assert_eq!(decode(&many).events.len(), EVENTS_MAX);
    let changes = [&with(vec![]).encode()[..], b"\x04\0\0\x0b\xb8", &b"\0\x01a\x05".repeat(750)].concat();
    assert_eq!(decode(&changes).events.len(), EVENTS_MAX);
    let mut long = with(vec![]).encode().to_vec();
    long.resize(BYTES_MAX, 0);
    assert!(SharedObject::decode(19, &long).is_some());
    long.push(0);
    assert!(SharedObject::decode(19, &long).is_none());
}

#[test]
fn an_answer_acknowledges_and_keeps_nothing() {
    let asked = with(vec![
        RequestChange { key: "a".into(), value: 1.0.into() },
        RequestRemove { key: "b".into() },
        Send(vec!["hello".into()]),
        Release,
    ]);
    let answer = asked.answer().expect("an answer");
    let expected = vec![Success { key: "a".into() }, Remove { key: "b".into() }, Send(vec!["hello".into()])];
    assert_eq!(answer, with(expected));
    assert_eq!(answer.answer().map(|back| back.events), Some(vec![Send(vec!["hello".into()])]));
    assert_eq!(with(vec![Release, UseSuccess, Clear]).answer(), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0u8..12, any::<u8>()], 0..300), flex: bool) {
        if let Some(object) = SharedObject::decode(if flex { 16 } else { 19 }, &bytes) {
            let back = SharedObject::decode(object.type_id, &object.encode()).expect("own bytes decode");
            prop_assert_eq!(format!("{:?}", back.name), format!("{:?}", object.name));
            let _ = object.answer();
        }
    }
}
