//! What happens is an event: told once, read by the log, the metrics and whoever listens.
//!
//! A protocol tells what happened and calls no log and no counter. The log line and the metric are made at once, in
//! [`Events::emit`], so that none of them is ever lost; everybody else listens on a bounded bus, and who reads it too
//! slowly is told how much it missed. Not events: what only a developer wants to know (debug lines), and faults of
//! the system in places that tell nobody else.

mod event;
mod log;

use std::sync::Arc;

use tokio::sync::broadcast;

pub(crate) use self::event::Event;
use crate::metrics::Metrics;

/// Events that wait for the slowest listener, at most.
const WAITING_MAX: usize = 1024;

/// Where events are told, and where they can be heard.
#[derive(Debug)]
pub(crate) struct Events {
    metrics: Arc<Metrics>,
    bus: broadcast::Sender<Arc<Event>>,
}

/// Hears every event from when it was made on. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Listener(broadcast::Receiver<Arc<Event>>);

/// What a listener hears next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This happened.
    Event(Arc<Event>),
    /// So many events were not heard, because the listener was too slow.
    Lost(u64),
}

impl Events {
    /// A bus without listeners; refusals are counted in `metrics`.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, bus: broadcast::Sender::new(WAITING_MAX) }
    }

    /// Tells what happened. Never waits.
    pub(crate) fn emit(&self, event: Event) {
        log::write(&event);
        if let Some((door, reason)) = event.refusal() {
            self.metrics.refused(door, reason);
        }
        if self.bus.receiver_count() > 0 {
            // The last listener may have gone just now.
            let _ = self.bus.send(Arc::new(event));
        }
    }

    /// Hears what happens from now on.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for callbacks, the API's stream of events, the console")
    )]
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.bus.subscribe())
    }
}

impl Listener {
    /// Waits for the next event; `None` once nobody can tell any more.
    #[cfg_attr(not(test), expect(dead_code, reason = "as `Events::listen`"))]
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Heard::Lost(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(name: &str) -> Event {
        Event::FilmRemoved { app: "vod".into(), name: name.into() }
    }

    fn refused() -> Event {
        Event::LetGo {
            door: "rtmp",
            reason: "silent",
            peer: "192.0.2.1:5".parse().unwrap(),
            place: "handshake".into(),
            text: "it said nothing".into(),
        }
    }

    #[tokio::test]
    async fn every_listener_hears_what_happens_after_it_came() {
        let events = Events::new(Arc::default());
        events.emit(removed("before"));
        let (mut first, mut second) = (events.listen(), events.listen());
        events.emit(removed("a"));
        events.emit(refused());
        drop(events);
        for listener in [&mut first, &mut second] {
            assert_eq!(listener.next().await, Some(Heard::Event(Arc::new(removed("a")))));
            assert_eq!(listener.next().await, Some(Heard::Event(Arc::new(refused()))));
            assert_eq!(listener.next().await, None);
        }
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed_and_holds_nobody_up() {
        let events = Events::new(Arc::default());
        let mut slow = events.listen();
        let count = WAITING_MAX as u64 + 7;
        (0..count).for_each(|number| events.emit(removed(&number.to_string())));
        assert_eq!(slow.next().await, Some(Heard::Lost(7)));
        assert_eq!(slow.next().await, Some(Heard::Event(Arc::new(removed("7")))));
    }

    #[test]
    fn refusals_are_counted_by_door_and_reason() {
        let metrics = Arc::new(Metrics::default());
        let events = Events::new(Arc::clone(&metrics));
        events.emit(refused());
        events.emit(refused());
        events.emit(removed("a"));
        let text = metrics.encode(&[], crate::metrics::Held::default());
        assert!(text.contains("headwater_refused_total{door=\"rtmp\",reason=\"silent\"} 2"), "{text}");
    }

    #[test]
    fn an_event_is_plain_data() {
        let event = serde_json::to_value(refused()).unwrap();
        let wanted = serde_json::json!({
            "event": "let_go", "door": "rtmp", "reason": "silent", "peer": "192.0.2.1:5",
            "place": "handshake", "text": "it said nothing",
        });
        assert_eq!(event, wanted);
        assert_eq!(refused().sentence(), "let go: it said nothing");
        let ended = Event::PublishEnded {
            door: "rtmp",
            peer: "192.0.2.1:5".parse().unwrap(),
            stream: "live/a".into(),
            unusable: 1,
            repaired: headwater_media::flv::Repaired::default(),
        };
        assert_eq!(serde_json::to_value(ended).unwrap()["repaired"]["annex_b"], 0);
    }

    #[test]
    fn what_was_repaired_is_said_in_words_and_only_that() {
        let mut repaired = headwater_media::flv::Repaired::default();
        assert_eq!(event::repaired_in_words(&repaired), None);
        (repaired.adts, repaired.repeated_configs) = (7, 2);
        let words = event::repaired_in_words(&repaired).unwrap();
        assert_eq!(words, "2 configurations sent again, 7 ADTS headers taken off");
    }
}
