//! Any bytes of both sides before an observer: no panic, how they are cut changes nothing, the tracks and tallies
//! stay few. With a true handshake in front, so that the messages are reached.
#![no_main]

use headwater_rtmp::capture::Side;
use headwater_trace::{Event, Observer, Rule, Verdict};
use libfuzzer_sys::fuzz_target;

fn watch(turns: &[(Side, &[u8])], cut: usize) -> (Vec<Event>, Verdict) {
    let mut observer = Observer::new();
    let mut events = Vec::new();
    for (number, (side, bytes)) in turns.iter().enumerate() {
        let at_ns = number as u64 * 1_000_000_000;
        for piece in bytes.chunks(cut) {
            observer.feed(*side, at_ns, piece);
            events.extend(std::iter::from_fn(|| observer.next_event()));
        }
    }
    assert!(observer.tracks().count() <= 32);
    let verdict = observer.finish();
    assert!(verdict.tallies.len() <= 2 * Rule::ALL.len());
    (events, verdict)
}

fuzz_target!(|input: (bool, u8, Vec<(bool, Vec<u8>)>)| {
    let (has_handshake, cut, said) = input;
    let (block, version) = ([0; 1536], [3; 1]);
    let mut turns: Vec<(Side, &[u8])> = Vec::new();
    if has_handshake {
        for side in [Side::Client, Side::Server] {
            turns.extend([(side, &version[..]), (side, &block[..])]);
        }
        turns.extend([(Side::Server, &block[..]), (Side::Client, &block[..])]);
    }
    for (is_client, bytes) in &said {
        turns.push((if *is_client { Side::Client } else { Side::Server }, bytes));
    }
    let whole = watch(&turns, usize::MAX);
    let cut = watch(&turns, usize::from(cut).max(1));
    // A number that is none differs from itself, and reads the same.
    assert!(cut == whole || format!("{cut:?}") == format!("{whole:?}"), "{cut:?}\n{whole:?}");
});
