//! Constructed conversations: one that breaks nothing, and one for each rule.

mod breaches;
mod script;

use proptest::prelude::*;

use super::*;
use crate::{Outcome, Step, StepState};
use script::Script;

fn verdict(script: &Script) -> Verdict {
    let mut observer = Observer::new();
    script.play(&mut observer, |_| usize::MAX);
    observer.finish()
}

#[test]
fn a_clean_conversation_breaks_nothing() {
    for script in [Script::published(), Script::played()] {
        let verdict = verdict(&script);
        assert_eq!(verdict.outcome, Outcome::Works);
        assert_eq!(verdict.tallies, []);
        for (step, state) in verdict.phases.iter().flat_map(|(_, steps)| steps) {
            assert!(matches!(state, StepState::Seen(_)), "{step:?} was not seen");
        }
    }
}

#[test]
fn every_rule_has_a_conversation_that_breaks_it() {
    let mut missing: Vec<Rule> = Rule::ALL.to_vec();
    for (rule, script) in breaches::all() {
        let verdict = verdict(&script);
        let found: Vec<_> = verdict.tallies.iter().map(|tally| tally.rule).collect();
        assert!(found.contains(&rule), "{rule:?} was not found, but {found:?}");
        missing.retain(|other| *other != rule);
    }
    assert_eq!(missing, [], "rules without a conversation");
}

#[test]
fn figures_of_a_track() {
    let verdict = verdict(&Script::played());
    let video = &verdict.tracks[0];
    assert_eq!((video.codec.as_str(), video.frames, video.keys, video.headers), ("H.264", 4, 2, 1));
    assert_eq!((video.gop_frames, video.gop_ms, video.span_ms()), (Some((2, 2)), Some(80), 120));
    assert_eq!(video.frames_per_second(), Some(25.0));
    assert_eq!((video.backward_steps, video.gaps), (0, 0));
}

#[test]
fn a_result_names_its_command() {
    let mut observer = Observer::new();
    Script::played().play(&mut observer, |_| usize::MAX);
    let mut answers = Vec::new();
    while let Some(event) = observer.next_event() {
        if let EventKind::Message(seen) = event.kind {
            answers.extend(seen.answers.map(|answered| answered.name));
        }
    }
    assert_eq!(answers, ["connect", "createStream"]);
}

#[test]
fn where_a_conversation_sticks() {
    let failure = |script: &Script| match verdict(script).outcome {
        Outcome::Failed(failure) => (failure.step, failure.seen),
        Outcome::Works => panic!("it works"),
    };
    assert_eq!(failure(&Script::default()).0, Step::C0C1);
    assert_eq!(failure(&Script::after_handshake()).0, Step::Connect);
    assert_eq!(failure(&Script::connected()).0, Step::CreateStream);
    let mut refused = Script::asks("publish");
    refused.status(1, "error", "NetStream.Publish.BadName", "taken");
    let (step, seen) = failure(&refused);
    assert_eq!(step, Step::PublishStart);
    assert_eq!(seen, "The server refused Publish.Start: taken (NetStream.Publish.BadName)");
    let mut rejected = Script::after_handshake();
    rejected.connects();
    rejected.rejects_connect("NetConnection.Connect.Rejected", "code=403 need auth; authmod=adobe");
    let (step, seen) = failure(&rejected);
    assert_eq!(step, Step::Connected);
    assert!(seen.contains("authmod=adobe"), "{seen}");
    let mut closed = Script::asks("play");
    closed.ends(Side::Server);
    let (step, seen) = failure(&closed);
    assert_eq!(
        (step, seen.as_str()),
        (Step::PlayStart, "The server closed the connection before Play.Start")
    );
}

#[test]
fn what_is_no_rtmp_is_counted_only() {
    for (first, lost) in
        [(6, Lost::Rtmpe(6)), (0x16, Lost::Tls), (b'G', Lost::Http), (0xFF, Lost::NotRtmp(0xFF))]
    {
        let mut observer = Observer::new();
        observer.feed(Side::Client, 0, &[first]);
        assert_eq!(observer.next_event().map(|event| event.kind), Some(EventKind::Lost(lost)));
        observer.feed(Side::Client, 0, &[3; 10_000]);
        assert_eq!(observer.next_event(), None);
        assert_eq!((observer.bytes(Side::Client), observer.client.input.capacity()), (10_001, 0));
    }
}

#[test]
fn what_a_peer_can_grow_is_bounded() {
    let mut script = Script::connected();
    for number in 0..2000_u32 {
        script.call(Side::Client, 0, "anything", f64::from(number) + 10.0, &[]);
        script.call(Side::Client, number + 10, "publish", 0.0, &["x".into()]);
        script.control(Side::Client, 4, &[&[0, 6], &number.to_be_bytes()[..]].concat());
        script.media(Side::Client, number + 10, 9, 0, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);
    }
    let mut observer = Observer::new();
    script.play(&mut observer, |_| usize::MAX);
    assert!(observer.tracks().count() <= 32);
    let verdict = observer.finish();
    assert!(verdict.tallies.len() < Rule::ALL.len());
    let waiting = verdict.tallies.iter().find(|tally| tally.rule == Rule::ResultMissing);
    assert!(waiting.is_none_or(|tally| tally.count <= 64));
}

#[test]
fn a_side_that_is_lost_does_not_take_the_other_with_it() {
    let mut script = Script::connected();
    // Type 2 on a chunk stream that nobody has opened.
    script.raw(Side::Client, &[0x80 | 40, 0, 0, 0]);
    script.call(Side::Server, 0, "onBWDone", 0.0, &[]);
    let mut observer = Observer::new();
    script.play(&mut observer, |_| usize::MAX);
    let mut kinds = Vec::new();
    while let Some(event) = observer.next_event() {
        kinds.push((event.side, matches!(event.kind, EventKind::Lost(_))));
    }
    assert_eq!(kinds[kinds.len() - 2..], [(Side::Client, true), (Side::Server, false)]);
}

fn events(script: &Script, cut: impl FnMut(usize) -> usize) -> (Vec<Event>, Verdict) {
    let mut observer = Observer::new();
    let mut events = Vec::new();
    script.play_with(&mut observer, cut, |observer| {
        while let Some(event) = observer.next_event() {
            events.push(event);
        }
    });
    (events, observer.finish())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_bytes_are_cut_changes_nothing(cuts in prop::collection::vec(1..700_usize, 1..40), which in 0..200_usize) {
        let mut scripts: Vec<Script> = breaches::all().into_iter().map(|(_, script)| script).collect();
        scripts.extend([Script::published(), Script::played()]);
        let script = &scripts[which % scripts.len()];
        let whole = events(script, |_| usize::MAX);
        let cut = events(script, |number| cuts[number % cuts.len()]);
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(&whole.1, &cut.1);
    }

    #[test]
    fn any_bytes_are_seen_alike_however_they_are_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        cut in 1..50_usize,
        from_client: bool,
    ) {
        let mut script = Script::connected();
        script.raw(if from_client { Side::Client } else { Side::Server }, &bytes);
        prop_assert_eq!(events(&script, |_| usize::MAX), events(&script, |_| cut));
    }
}
