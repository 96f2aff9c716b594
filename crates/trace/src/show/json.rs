//! Events and verdicts as JSON, one object a line. The fields are documented in `docs/trace.md`. What a peer wrote is
//! escaped as in the text, because this too is read on terminals.

use headwater_media::MediaKind;
use headwater_rtmp::capture::Side;
use headwater_rtmp::rule::{Deviation, Severity};
use serde_json::{Map, Value, json};

use super::meaning;
use super::plain::clean;
use crate::event::{Event, EventKind};
use crate::step::StepState;
use crate::verdict::{Outcome, Verdict};

/// An event.
pub(super) fn event(event: &Event, connection: Option<usize>) -> String {
    let mut object = Map::new();
    object.insert("event".into(), kind(event).into());
    if let Some(number) = connection {
        object.insert("connection".into(), number.into());
    }
    object.insert("seconds".into(), seconds(event.at_ns));
    object.insert("from".into(), from(event.side).into());
    object.insert("type".into(), meaning::type_label(event).into());
    if let EventKind::Message(message) = &event.kind {
        let raw = &message.raw;
        object.insert("type_id".into(), raw.type_id.into());
        object.insert("chunk_stream".into(), raw.chunk_stream.get().into());
        object.insert("message_stream".into(), raw.stream.0.into());
        object.insert("timestamp".into(), raw.timestamp.into());
        object.insert("bytes".into(), raw.payload.len().into());
        if let Some(tag) = &message.tag {
            object.insert("codec".into(), clean(&tag.codec).into());
            object.insert("key".into(), tag.is_key().into());
        }
        if let Some(answered) = &message.answers {
            object.insert("answers".into(), clean(&answered.name).into());
        }
    }
    object.insert("meaning".into(), meaning::meaning(event).into());
    if let Some(step) = event.step {
        object.insert("step".into(), step.name().into());
        object.insert("phase".into(), step.phase().name().into());
    }
    object.insert("deviations".into(), event.deviations.iter().map(deviation).collect());
    line(object)
}

/// The verdict.
pub(super) fn verdict(verdict: &Verdict, connection: Option<usize>) -> String {
    let mut object = Map::new();
    object.insert("event".into(), "verdict".into());
    if let Some(number) = connection {
        object.insert("connection".into(), number.into());
    }
    match &verdict.outcome {
        Outcome::Works => object.insert("works".into(), true.into()),
        Outcome::Failed(failure) => {
            object.insert("works".into(), false.into());
            let why = json!({
                "step": failure.step.name(),
                "phase": failure.step.phase().name(),
                "seen": clean(&failure.seen),
                "mend": failure.mend,
            });
            object.insert("failure".into(), why)
        }
    };
    object.insert("seconds".into(), seconds(verdict.duration_ns));
    object.insert("client_bytes".into(), verdict.client_bytes.into());
    object.insert("server_bytes".into(), verdict.server_bytes.into());
    for (name, severity) in
        [("errors", Severity::Error), ("warnings", Severity::Warning), ("notes", Severity::Note)]
    {
        object.insert(name.into(), verdict.count(severity).into());
    }
    object.insert("steps".into(), steps(verdict));
    object.insert("tracks".into(), tracks(verdict));
    let deviations = verdict.tallies.iter().map(|tally| {
        json!({
            "rule": tally.rule.id(),
            "severity": tally.rule.severity().to_string(),
            "by": from(tally.side),
            "count": tally.count,
            "first_seconds": seconds(tally.first_ns),
            "first_detail": clean(&tally.first_detail),
            "text": tally.rule.text(),
            "source": tally.rule.source(),
        })
    });
    object.insert("deviations".into(), deviations.collect());
    line(object)
}

fn steps(verdict: &Verdict) -> Value {
    let steps = verdict.phases.iter().flat_map(|(phase, steps)| steps.iter().map(move |step| (phase, step)));
    let steps = steps.map(|(phase, (step, state))| {
        let (state, at) = match state {
            StepState::Seen(at) => ("seen", seconds(*at)),
            StepState::Refused(at) => ("refused", seconds(*at)),
            StepState::Missing => ("missing", Value::Null),
        };
        json!({
            "phase": phase.name(),
            "step": step.name(),
            "state": state,
            "seconds": at,
            "needed": step.is_needed(),
        })
    });
    steps.collect()
}

fn tracks(verdict: &Verdict) -> Value {
    let tracks = verdict.tracks.iter().map(|track| {
        json!({
            "from": from(track.side),
            "message_stream": track.stream.0,
            "kind": if track.kind == MediaKind::Video { "video" } else { "audio" },
            "track": track.track,
            "codec": clean(&track.codec),
            "headers": track.headers,
            "frames": track.frames,
            "key_frames": track.keys,
            "bytes": track.bytes,
            "frames_per_second": track.frames_per_second(),
            "bits_per_second": track.bits_per_second(),
            "first_ms": track.first_ms,
            "last_ms": track.last_ms,
            "gop_ms": track.gop_ms,
            "backward_steps": track.backward_steps,
            "gaps": track.gaps,
            "step_ms_max": track.step_ms_max,
        })
    });
    tracks.collect()
}

fn deviation(deviation: &Deviation) -> Value {
    let rule = deviation.rule;
    json!({
        "rule": rule.id(),
        "severity": rule.severity().to_string(),
        "by": from(deviation.side),
        "detail": clean(&deviation.detail),
        "text": rule.text(),
        "source": rule.source(),
    })
}

const fn kind(event: &Event) -> &'static str {
    match event.kind {
        EventKind::Handshake(_) => "handshake",
        EventKind::Message(_) => "message",
        EventKind::Lost(_) => "lost",
        _ => "end",
    }
}

const fn from(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

fn seconds(ns: u64) -> Value {
    // Microseconds are enough, and keep the text short.
    ((ns / 1000) as f64 / 1e6).into()
}

fn line(object: Map<String, Value>) -> String {
    format!("{}\n", Value::Object(object))
}
