//! Who is called, how often, and on which lane.

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);
impl Watcher for Count {
    fn stream_changed(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn lanes(count: usize) -> Arc<[Lane]> {
    (0..count).map(|_| Lane::default()).collect()
}

fn drain(lane: &Lane) -> usize {
    let mut scratch = Vec::new();
    let mut rounds = 1;
    lane.begin_round();
    while lane.call_some(2, &mut scratch) {
        rounds += 1;
    }
    rounds
}

#[test]
fn every_watcher_is_called_once_however_often_the_stream_grew() {
    let lanes = lanes(1);
    let audiences = Audiences::new(&lanes);
    let watchers: Vec<_> = (0..5).map(|_| Arc::new(Count::default())).collect();
    let _seats: Vec<_> = watchers.iter().map(|w| audiences.add(Arc::clone(w) as Arc<dyn Watcher>)).collect();
    audiences.ring();
    audiences.ring();
    assert!(drain(&lanes[0]) >= 3);
    assert!(watchers.iter().all(|w| w.0.load(Ordering::Relaxed) == 1));
    audiences.ring();
    drain(&lanes[0]);
    assert!(watchers.iter().all(|w| w.0.load(Ordering::Relaxed) == 2));
}

#[test]
fn what_grows_during_a_round_waits_for_the_next() {
    struct Growing(Mutex<Option<Arc<Audiences>>>, AtomicUsize);
    impl Watcher for Growing {
        fn stream_changed(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
            if let Some(audiences) = &*self.0.lock() {
                audiences.ring();
            }
        }
    }
    let lanes = lanes(1);
    let audiences = Arc::new(Audiences::new(&lanes));
    let watcher = Arc::new(Growing(Mutex::new(Some(Arc::clone(&audiences))), AtomicUsize::new(0)));
    let _seat = audiences.add(Arc::clone(&watcher) as Arc<dyn Watcher>);
    for round in 1..4 {
        drain(&lanes[0]);
        assert_eq!(watcher.1.load(Ordering::Relaxed), round);
    }
    *watcher.0.lock() = None;
}

#[test]
fn watchers_spread_over_the_lanes_and_leave_without_a_trace() {
    let lanes = lanes(3);
    let audiences = Audiences::new(&lanes);
    let seats: Vec<_> =
        (0..9).map(|_| audiences.add(Arc::new(Count::default()) as Arc<dyn Watcher>)).collect();
    assert!(lanes.iter().all(|lane| lane.watchers() == 3));
    drop(seats);
    for lane in lanes.iter() {
        drain(lane);
    }
    audiences.ring();
    assert!(lanes.iter().all(|lane| lane.watchers() == 0 && lane.due.lock().is_empty()));
}
