//! Drives the hub's lanes: one task each, which calls the lane's viewers when their streams have grown.
//!
//! A viewer that is called writes to its socket there and then, so a frame costs no task switch per
//! viewer. Batching adapts: after a round the lane rests for twice the time that the round took, its wait for other
//! tasks included, so with little to do every frame leaves at once, and under load, whatever it comes from, the frames
//! that have gathered leave in one write. The operator bounds the rest from both sides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_hub::{Lane, Watcher};

use super::viewer::Viewer;
use crate::live::Live;

/// Viewers of one stream that are called before a look at the clock, at most.
const CALLS_AT_ONCE: usize = 64;
/// How long a round goes on before other tasks get a turn, at least. In between it goes on for as long as it has waited for its
/// own turn: with thousands of publishers to be read, a few calls between all of them are not enough.
const TURN_MIN: Duration = Duration::from_micros(500);
/// The same at most, but for the group of viewers that is being called: what waits meanwhile may be another lane, and each would
/// go on for as long as the other.
const TURN_MAX: Duration = Duration::from_millis(4);
/// Rests shorter than this are skipped; the timer is not finer.
const REST_MIN: Duration = Duration::from_millis(1);

/// Bounds of the latency that gathering may add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathering {
    /// Rest after every round, even without load.
    pub(crate) min: Duration,
    /// Rest under any load, at most.
    pub(crate) max: Duration,
}

/// Calls viewers of the round for about so long, some at least; returns whether the round goes on.
pub(super) fn take_turn(lane: &Lane, length: Duration, scratch: &mut Vec<Arc<dyn Watcher>>) -> bool {
    Viewer::look_again();
    let began = Instant::now();
    while lane.call_some(CALLS_AT_ONCE, scratch) {
        if began.elapsed() >= length {
            return true;
        }
    }
    false
}

/// Runs one lane until the task is dropped.
pub(crate) async fn drive(lanes: Arc<[Lane]>, index: usize, gathering: Live<Gathering>) {
    let Some(lane) = lanes.get(index) else { return };
    let mut scratch = Vec::with_capacity(CALLS_AT_ONCE);
    loop {
        lane.rung().await;
        let round = Instant::now();
        loop {
            let waits = Instant::now();
            tokio::task::yield_now().await;
            if !take_turn(lane, waits.elapsed().clamp(TURN_MIN, TURN_MAX), &mut scratch) {
                break;
            }
        }
        let gathering = gathering.get();
        let rest = (round.elapsed() * 2).clamp(gathering.min, gathering.max);
        if rest >= REST_MIN {
            tokio::time::sleep(rest).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use headwater_hub::{Hub, HubConfig, PublisherInfo, Start, StreamName};
    use headwater_media::{Codec, Frame, Timestamp, TrackId};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Watcher for Counter {
        fn stream_changed(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call to a few viewers of one stream was a turn once: with a viewer each, two thousand streams took as many turns.
    #[test]
    fn a_turn_goes_over_as_many_streams_as_its_length_allows() {
        let hub = Hub::new(HubConfig::default());
        let counter = Arc::<Counter>::default();
        let watched: Vec<_> = (0..100)
            .map(|number| {
                let name = StreamName::parse(&format!("live/{number}")).unwrap();
                let publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
                let lag_max = Timestamp::from_ms(1_000);
                let cursor = hub.subscribe(&name, Start::NewestKeyframe, lag_max, Duration::ZERO).unwrap();
                let watch = cursor.watch(Arc::clone(&counter) as Arc<dyn Watcher>);
                (publisher, cursor, watch)
            })
            .collect();
        let (lanes, mut scratch) = (hub.lanes(), Vec::new());
        assert!(lanes[0].begin_round(), "who watches is called at once");
        assert!(take_turn(&lanes[0], Duration::ZERO, &mut scratch));
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
        assert!(!take_turn(&lanes[0], Duration::MAX, &mut scratch));
        assert_eq!(counter.0.load(Ordering::Relaxed), watched.len());
    }

    /// Between what is written of a stream lies the rest that the operator asks for, whatever comes meanwhile, and it is not longer
    /// than that; what the operator asks for may change.
    #[tokio::test(start_paused = true)]
    async fn frames_gather_for_as_long_as_the_operator_wants() {
        let hub = Hub::new(HubConfig::default());
        let name = StreamName::parse("live/a").unwrap();
        let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
        let cursor = hub.subscribe(&name, Start::NewestKeyframe, Timestamp::from_ms(1_000), Duration::ZERO);
        let counter = Arc::<Counter>::default();
        let _watch = cursor.unwrap().watch(Arc::clone(&counter) as Arc<dyn Watcher>);
        let rest = |ms| Gathering { min: Duration::from_millis(ms), max: Duration::from_millis(ms) };
        let gathering = crate::live::Setting::new(rest(100));
        let driven = tokio::spawn(drive(hub.lanes(), 0, gathering.live()));

        let (began, mut called) = (tokio::time::Instant::now(), Vec::new());
        for ms in 0..1_000 {
            if ms == 550 {
                gathering.set(rest(40));
            }
            if ms % 7 == 0 {
                let at = Timestamp::from_ms(ms as i64);
                let (track, codec, payload) = (TrackId::AUDIO, Codec::Aac, Bytes::from_static(b"xyz"));
                publisher.push(Frame { track, codec, dts: at, pts: at, key: true, payload }, Duration::ZERO);
            }
            tokio::time::sleep_until(began + Duration::from_millis(ms + 1)).await;
            if counter.0.swap(0, Ordering::Relaxed) > 0 {
                called.push(ms);
            }
        }
        driven.abort();
        let rests: Vec<u64> = called.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(rests.iter().filter(|rest| (100..=108).contains(*rest)).count() >= 5, "{called:?}");
        assert!(rests.iter().filter(|rest| (40..=48).contains(*rest)).count() >= 9, "{called:?}");
        assert_eq!(rests.iter().filter(|rest| **rest > 108 || **rest < 40).count(), 0, "{called:?}");
    }
}
