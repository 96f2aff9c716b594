//! One window on one server: publishers and players come, are measured, and go.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::arguments::{Arguments, Load};
use super::cost::Cost;
use super::feed::Feed;
use super::interrupt::Interrupt;
use super::player::{self, Place};
use super::tally::{Figures, Tally};
use super::target::{Running, STREAM};
use super::{cost, feed};

/// Between two windows: sockets close, and the server takes note.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the first picture of a publisher may take to reach the server's log.
const FEED_LEAD: Duration = Duration::from_millis(300);
/// Who asks for a playlist before there are segments waits for them: then all players would come at once.
const SEGMENTS_LEAD: Duration = Duration::from_secs(7);
/// Players that begin in one second before the window.
const RAMP_PER_SECOND: f64 = 1_000.0;

/// Measures one window.
pub(super) async fn measure(
    server: &Running,
    load: Load,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> anyhow::Result<Figures> {
    let Load { streams, kbps, .. } = load;
    let (unused, had) = (Cost::of(server.pid), server.keeps().await?);
    let mut feeds = Vec::new();
    for stream in 0..streams {
        let Some(publish) = &server.publish else { break };
        let url = numbered(publish, stream, streams);
        let past = server.past(&numbered(STREAM, stream, streams), arguments.past);
        feeds.push(Feed::start(url, kbps, past).await?);
    }
    sleep(if player::is_playlist(&server.play) { SEGMENTS_LEAD } else { FEED_LEAD }).await;
    let mut figures = on_one_thread(interrupt.unless(watch(server, load, arguments, &feeds, unused)))?;
    figures.kept = server.keeps().await?.zip(had).map(|(keeps, had)| keeps.since(had));
    for feed in feeds {
        feed.stop().await;
    }
    sleep(PAUSE).await;
    Ok(figures)
}

/// Runs what plays on this thread alone, with its sockets and timers: what players cost does not depend on where they run,
/// and nothing wakes another thread.
fn on_one_thread<T>(play: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let players = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = tokio::task::block_in_place(|| players.block_on(LocalSet::new().run_until(play)));
    players.shutdown_background();
    done
}

/// Players come, are measured, and go. `unused` is what the server cost before anybody published.
async fn watch(
    server: &Running,
    load: Load,
    arguments: &Arguments,
    feeds: &[Feed],
    unused: Option<Cost>,
) -> anyhow::Result<Figures> {
    let Load { players, streams, kbps } = load;
    let idle = Cost::of(server.pid);
    let tally = Arc::new(Tally::new(players, arguments.rewound));
    let mut tasks = JoinSet::new();
    for number in 0..arguments.stalled {
        let url = numbered(&server.play, number % streams, streams);
        tasks.spawn_local(player::stall(url, Arc::clone(&tally)));
    }
    let began = Instant::now();
    for number in 0..players + arguments.rewound {
        sleep_until(began + Duration::from_secs_f64(f64::from(number) / RAMP_PER_SECOND)).await;
        let url = numbered(&server.play, number % streams, streams);
        let place = number.checked_sub(players).map_or(Place::Head, |nth| arguments.place(nth));
        tasks.spawn_local(player::watch(url, Arc::clone(&tally), number as usize, place));
    }
    sleep(Duration::from_secs_f64(arguments.warmup)).await;
    let (before, busy) = (Cost::of(server.pid), cost::busy());
    tally.open();
    let window = Duration::from_secs_f64(arguments.window);
    let end = Instant::now() + window;
    if let Some(seconds) = arguments.burst {
        feeds.iter().for_each(|feed| feed.hold(Duration::from_secs_f64(seconds)));
    }
    let head = come_and_leave(server, streams, arguments.joins, end, &tally, |_| Place::Head);
    let past = come_and_leave(server, streams, arguments.seeks, end, &tally, |nth| arguments.any_place(nth));
    let first = numbered(STREAM, 0, streams);
    let clip = server.clip(&first, arguments);
    let (_joiners, _seekers, clip, ()) = tokio::join!(head, past, clip, sleep_until(end));
    tally.close();
    let (after, busy) = (Cost::of(server.pid), busy.zip(cost::busy()));
    let behind = feeds.iter().map(Feed::behind).max();
    tasks.shutdown().await;
    let rate = server.publish.as_ref().map(|_| feed::bytes_per_second(kbps));
    let (shares, from) = match players + arguments.rewound {
        0 => (streams, unused),
        some => (some, idle),
    };
    let mut figures = tally.figures(window, rate).with_cost(shares, window, from, before, after);
    figures.players_busy = busy.map(|(from, to)| (to - from).as_secs_f64() / window.as_secs_f64());
    figures.publishers_behind_ms = behind.map(|behind| behind.as_secs_f64() * 1e3);
    figures.clip = clip?;
    Ok(figures)
}

/// Lets players join until `end`, `rate` in a second, where `place` says; each leaves at its first picture. Those that are
/// still there come back.
async fn come_and_leave(
    server: &Running,
    streams: u32,
    rate: Option<f64>,
    end: Instant,
    tally: &Arc<Tally>,
    place: impl Fn(u32) -> Place,
) -> JoinSet<()> {
    let mut there = JoinSet::new();
    let Some(rate) = rate.filter(|rate| *rate > 0.0) else { return there };
    let began = Instant::now();
    let seconds = (end - began).as_secs_f64();
    for number in 0_u32.. {
        let due = f64::from(number) / rate;
        if due >= seconds {
            break;
        }
        sleep_until(began + Duration::from_secs_f64(due)).await;
        let url = numbered(&server.play, number % streams, streams);
        there.spawn_local(player::join(url, Arc::clone(tally), place(number)));
        while there.try_join_next().is_some() {}
    }
    there
}

/// The address of one of several streams: its number stands behind the name.
fn numbered(url: &str, stream: u32, streams: u32) -> String {
    if streams == 1 {
        return url.to_owned();
    }
    let (path, query) = url.split_once('?').map_or((url, ""), |(path, query)| (path, query));
    let split = |end: &'static str| path.strip_suffix(end).map(|stem| (stem, end));
    let (stem, end) = split(".flv").or_else(|| split("/index.m3u8")).unwrap_or((path, ""));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{stem}_{stream}{end}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_numbered_behind_their_names() {
        assert_eq!(numbered("rtmp://h/live/a?key=k", 3, 4), "rtmp://h/live/a_3?key=k");
        assert_eq!(numbered("http://h/live/a.flv", 0, 2), "http://h/live/a_0.flv");
        assert_eq!(numbered("http://h/live/a/index.m3u8", 1, 2), "http://h/live/a_1/index.m3u8");
        assert_eq!(numbered("http://h/live/a.flv", 0, 1), "http://h/live/a.flv");
    }
}
