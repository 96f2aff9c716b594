//! What is announced of streams, whatever publishers and viewers do: each begin and each end once, in order,
//! and a listener that was too slow knows all the same what is there.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{
    Announcement, Announcements, Change, EndReason, Heard, Hub, HubConfig, Publisher, PublisherInfo, Start,
    State, StreamName, Subscriber, Takeover,
};
use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(10);

fn hub(announcements_kept: usize) -> Hub {
    Hub::new(HubConfig {
        takeover: Takeover::Always,
        reconnect_window: WINDOW,
        announcements_kept,
        ..HubConfig::default()
    })
}

fn name(n: u8) -> StreamName {
    StreamName::parse(&format!("live/{n}")).unwrap()
}

fn info(address: &str) -> PublisherInfo {
    PublisherInfo { address: address.to_owned(), ..PublisherInfo::default() }
}

fn view(hub: &Hub, n: u8, now: Duration) -> Subscriber {
    hub.subscribe(&name(n), Start::NewestKeyframe, Timestamp::from_ms(6_000), now).unwrap()
}

fn track(id: TrackId, config: u8) -> Track {
    Track::new(id, Codec::H264, Bytes::from(vec![config]))
}

fn said(change: &Change) -> String {
    match change {
        Change::Wanted => "wanted".to_owned(),
        Change::Unwanted => "unwanted".to_owned(),
        Change::Began(info) => format!("began: {}", info.address),
        Change::SetupChanged(setup) => format!("setup: {} tracks", setup.tracks().count()),
        Change::PublisherLeft => "left".to_owned(),
        Change::PublisherCame(info) => format!("came: {}", info.address),
        Change::Ended(reason) => format!("ended: {reason:?}"),
    }
}

fn hear(listener: &mut Announcements) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(heard) = listener.try_next() {
        match heard {
            Heard::Announcement(announcement) => all.push(said(&announcement.change)),
            Heard::Missed(count) => all.push(format!("missed {count}")),
        }
    }
    all
}

#[test]
fn a_broadcast_is_told_from_the_first_who_waits_to_its_end() {
    let hub = hub(64);
    let mut listener = hub.announcements();
    let viewers = [view(&hub, 0, SECOND), view(&hub, 0, SECOND)];
    assert_eq!(hear(&mut listener), ["wanted"]);
    let mut publisher = hub.publish(&name(0), info("a"), SECOND).unwrap();
    publisher.set_track(track(TrackId::VIDEO, 1));
    publisher.set_track(track(TrackId::VIDEO, 1));
    publisher.set_metadata(Bytes::from_static(b"m"));
    assert_eq!(hear(&mut listener), ["began: a", "setup: 1 tracks", "setup: 1 tracks"]);
    let second = hub.publish(&name(0), info("b"), SECOND).unwrap();
    drop(publisher);
    drop(second);
    let third = hub.publish(&name(0), info("c"), SECOND).unwrap();
    assert_eq!(hear(&mut listener), ["came: b", "left", "wanted", "came: c"]);
    drop((viewers, third));
    hub.sweep(SECOND);
    hub.sweep(SECOND + WINDOW);
    hub.sweep(SECOND + WINDOW);
    assert_eq!(hear(&mut listener), ["left", "ended: PublisherGone"]);
}

#[test]
fn who_goes_before_the_stream_comes_wants_it_no_more() {
    let hub = hub(64);
    let mut listener = hub.announcements();
    drop(view(&hub, 0, SECOND));
    let again = view(&hub, 0, SECOND);
    hub.sweep(SECOND);
    assert_eq!(hear(&mut listener), ["wanted"]);
    drop(again);
    hub.sweep(SECOND);
    let _viewer = view(&hub, 0, SECOND);
    assert_eq!(hear(&mut listener), ["unwanted", "wanted"]);
}

#[test]
fn a_stream_whose_publisher_is_away_is_wanted_by_who_comes_or_stays() {
    let hub = hub(64);
    let publisher = hub.publish(&name(0), info("a"), SECOND).unwrap();
    let mut listener = hub.announcements();
    let viewer = view(&hub, 0, SECOND);
    drop(viewer);
    drop(publisher);
    hub.sweep(SECOND);
    assert_eq!(hear(&mut listener), ["left"], "nobody watches");
    let viewer = view(&hub, 0, SECOND);
    let again = view(&hub, 0, SECOND);
    hub.sweep(SECOND);
    assert_eq!(hear(&mut listener), ["wanted"]);
    drop((viewer, again));
    hub.sweep(SECOND);
    hub.sweep(SECOND);
    assert_eq!(hear(&mut listener), ["unwanted"]);
    let _viewer = view(&hub, 0, SECOND);
    hub.sweep(SECOND + WINDOW);
    assert_eq!(hear(&mut listener), ["wanted", "ended: PublisherGone"]);
}

#[test]
fn nothing_comes_after_the_end() {
    let hub = hub(64);
    let mut listener = hub.announcements();
    let mut publisher = hub.publish(&name(0), info("a"), SECOND).unwrap();
    let _viewer = view(&hub, 1, SECOND);
    hub.end_all();
    assert!(publisher.is_evicted());
    publisher.set_track(track(TrackId::VIDEO, 1));
    drop(publisher);
    let mut all = hear(&mut listener);
    all.sort();
    assert_eq!(all, ["began: a", "ended: Shutdown", "unwanted", "wanted"]);
}

#[test]
fn tracks_that_are_forgotten_are_announced() {
    let hub = hub(64);
    let mut first = hub.publish(&name(0), info("a"), SECOND).unwrap();
    first.set_track(track(TrackId::VIDEO, 1));
    let mut second = hub.publish(&name(0), info("b"), SECOND).unwrap();
    second.set_track(track(TrackId::AUDIO, 1));
    let mut listener = hub.announcements();
    for n in 0..4 {
        let at = Timestamp::from_ms(n * 1000);
        let (track, codec, payload) = (TrackId::AUDIO, Codec::Aac, Bytes::from_static(b"a"));
        second.push(Frame { track, codec, dts: at, pts: at, key: true, payload }, SECOND);
    }
    assert_eq!(hear(&mut listener), ["setup: 1 tracks"]);
}

#[tokio::test]
async fn a_listener_waits_and_learns_that_the_hub_is_gone() {
    let hub = hub(64);
    let mut listener = hub.announcements();
    let publisher = hub.publish(&name(0), info("a"), SECOND).unwrap();
    assert!(matches!(listener.next().await, Some(Heard::Announcement(_))));
    drop(hub);
    assert!(listener.next().await.is_none(), "although a publisher is left");
    drop(publisher);
}

/// What a listener knows of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    name: StreamName,
    began: bool,
    wanted: bool,
    publisher: Option<PublisherInfo>,
    announced: u64,
}

/// A follower as a worker would write it.
#[derive(Debug, Default)]
struct Follower {
    broadcasts: BTreeMap<u64, Known>,
    missed: u64,
}

impl Follower {
    fn listen(&mut self, listener: &mut Announcements, hub: &Hub, now: Duration) {
        while let Some(heard) = listener.try_next() {
            match heard {
                Heard::Announcement(announcement) => self.take(announcement),
                Heard::Missed(count) => {
                    self.missed += count;
                    self.broadcasts = list(hub, now);
                }
            }
        }
    }

    fn take(&mut self, Announcement { name, broadcast, number, change }: Announcement) {
        let is_first = matches!(change, Change::Wanted | Change::Began(_));
        if is_first && !self.broadcasts.contains_key(&broadcast) {
            let known = Known { name, began: false, wanted: false, publisher: None, announced: 0 };
            self.broadcasts.insert(broadcast, known);
        }
        let Some(known) = self.broadcasts.get_mut(&broadcast).filter(|known| known.announced < number) else {
            return;
        };
        known.announced = number;
        match change {
            Change::SetupChanged(_) => {}
            Change::Wanted => known.wanted = true,
            Change::Unwanted if known.began => known.wanted = false,
            Change::Began(info) | Change::PublisherCame(info) => {
                (known.began, known.wanted, known.publisher) = (true, false, Some(info));
            }
            Change::PublisherLeft => known.publisher = None,
            Change::Unwanted | Change::Ended(_) => drop(self.broadcasts.remove(&broadcast)),
        }
    }
}

fn list(hub: &Hub, now: Duration) -> BTreeMap<u64, Known> {
    let known = |snapshot: headwater_hub::Snapshot| Known {
        name: snapshot.name,
        began: snapshot.state != State::Waiting,
        wanted: snapshot.is_wanted,
        publisher: snapshot.publisher,
        announced: snapshot.announced,
    };
    hub.list(now).into_iter().map(|snapshot| (snapshot.broadcast, known(snapshot))).collect()
}

/// Where a broadcast stands, by what was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Nothing,
    /// Wanted, and never begun.
    Awaited,
    Live,
    /// The publisher is away; whether it is wanted.
    Away(bool),
    Over,
}

/// Checks the order of all announcements of each broadcast, and that none is missing.
#[derive(Debug, Default)]
struct Witness {
    last: BTreeMap<u64, (u64, Stand)>,
    begun: u64,
    ended: u64,
}

impl Witness {
    fn take(&mut self, announcement: &Announcement) {
        let Announcement { broadcast, number, change, .. } = announcement;
        let (last, stand) = self.last.get(broadcast).copied().unwrap_or((0, Stand::Nothing));
        assert_eq!(*number, last + 1);
        let next = match (stand, change) {
            (Stand::Nothing, Change::Wanted) => Stand::Awaited,
            (Stand::Nothing | Stand::Awaited, Change::Began(_)) => Stand::Live,
            (Stand::Awaited, Change::Unwanted) => Stand::Over,
            (Stand::Live, Change::SetupChanged(_)) => Stand::Live,
            (Stand::Live | Stand::Away(_), Change::PublisherCame(_)) => Stand::Live,
            (Stand::Live, Change::PublisherLeft) => Stand::Away(false),
            (Stand::Away(false), Change::Wanted) => Stand::Away(true),
            (Stand::Away(true), Change::Unwanted) => Stand::Away(false),
            (Stand::Away(_), Change::Ended(EndReason::PublisherGone)) => Stand::Over,
            (
                Stand::Live | Stand::Away(_),
                Change::Ended(EndReason::Shutdown | EndReason::Stopped | EndReason::GaveWay),
            ) => Stand::Over,
            _ => panic!("{change:?} when it stands at {stand:?}"),
        };
        self.last.insert(*broadcast, (*number, next));
        self.begun += u64::from(matches!(change, Change::Began(_)));
        self.ended += u64::from(matches!(change, Change::Ended(_)));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Leave(u8),
    Describe(u8, u8),
    View(u8),
    Go(u8),
    Wait(u8),
    EndAll,
    SlowListens,
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0u8..4;
    prop_oneof![
        4 => n.clone().prop_map(Step::Publish),
        4 => n.clone().prop_map(Step::Leave),
        2 => (n.clone(), 0u8..3).prop_map(|(n, config)| Step::Describe(n, config)),
        4 => n.clone().prop_map(Step::View),
        4 => n.prop_map(Step::Go),
        4 => (1u8..14).prop_map(Step::Wait),
        1 => Just(Step::EndAll),
        3 => Just(Step::SlowListens),
    ]
}

proptest! {
    #[test]
    fn no_begin_or_end_is_missed_or_said_twice(steps in prop::collection::vec(step(), 1..200)) {
        let hub = hub(4);
        let (mut now, mut begun, mut ended) = (Duration::ZERO, 0, 0);
        let mut publishers: BTreeMap<u8, Publisher> = BTreeMap::new();
        let mut viewers: Vec<(u8, Subscriber)> = Vec::new();
        let (mut fast, mut slow) = (hub.announcements(), hub.announcements());
        let (mut witness, mut follower) = (Witness::default(), Follower::default());
        for step in steps {
            let is_begun = |n| hub.snapshot(&name(n), Duration::ZERO).is_some_and(|it| it.state != State::Waiting);
            match step {
                Step::Publish(n) => {
                    begun += u64::from(!is_begun(n));
                    let publisher = hub.publish(&name(n), info(&format!("at {now:?}")), now).unwrap();
                    publishers.insert(n, publisher);
                }
                Step::Leave(n) => drop(publishers.remove(&n)),
                Step::Describe(n, config) => {
                    if let Some(publisher) = publishers.get_mut(&n) {
                        publisher.set_track(track(TrackId::VIDEO, config));
                    }
                }
                Step::View(n) => viewers.push((n, view(&hub, n, now))),
                Step::Go(n) => viewers.retain(|(of, _)| *of != n),
                Step::Wait(seconds) => {
                    now += u32::from(seconds) * SECOND;
                    let before = (0..4).filter(|n| is_begun(*n)).count();
                    hub.sweep(now);
                    ended += (before - (0..4).filter(|n| is_begun(*n)).count()) as u64;
                }
                Step::EndAll => {
                    ended += (0..4).filter(|n| is_begun(*n)).count() as u64;
                    hub.end_all();
                }
                Step::SlowListens => {
                    follower.listen(&mut slow, &hub, now);
                    prop_assert_eq!(&follower.broadcasts, &list(&hub, now));
                }
            }
            while let Some(heard) = fast.try_next() {
                // At most four streams end at once, and the channel keeps four.
                let Heard::Announcement(announcement) = heard else { panic!("{heard:?}") };
                witness.take(&announcement);
            }
        }
        follower.listen(&mut slow, &hub, now);
        prop_assert_eq!(&follower.broadcasts, &list(&hub, now));
        prop_assert_eq!((witness.begun, witness.ended), (begun, ended));
    }
}
