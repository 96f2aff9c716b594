//! Drives the hub's lanes: one task each, which calls the lane's viewers when their streams have grown.
//!
//! A viewer that is called writes to its socket there and then, so a frame costs no task switch per
//! viewer. Batching adapts: after a round the lane rests for twice the time that the round took, so with
//! few viewers every frame leaves at once, and under load the frames that have gathered leave in one
//! write. The operator bounds the rest from both sides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_hub::{Lane, Watcher};

use super::viewer::Viewer;
use crate::live::Live;

/// Viewers called before other tasks get a turn: about half a millisecond of work.
const CALLS_PER_TURN: usize = 64;
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

/// Calls some of the round's viewers; returns whether it goes on.
pub(super) fn take_turn(lane: &Lane, scratch: &mut Vec<Arc<dyn Watcher>>) -> bool {
    Viewer::look_again();
    lane.call_some(CALLS_PER_TURN, scratch)
}

/// Runs one lane until the task is dropped.
pub(crate) async fn drive(lanes: Arc<[Lane]>, index: usize, gathering: Live<Gathering>) {
    let Some(lane) = lanes.get(index) else { return };
    let mut scratch = Vec::with_capacity(CALLS_PER_TURN);
    loop {
        lane.rung().await;
        let mut busy = Duration::ZERO;
        loop {
            let began = Instant::now();
            let more = take_turn(lane, &mut scratch);
            busy += began.elapsed();
            if !more {
                break;
            }
            tokio::task::yield_now().await;
        }
        let gathering = gathering.get();
        let rest = (busy * 2).clamp(gathering.min, gathering.max);
        if rest >= REST_MIN {
            tokio::time::sleep(rest).await;
        }
    }
}
