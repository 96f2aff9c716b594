//! A player of low-latency HLS: it follows every rendition of the master playlist by blocking reloads, each on a connection
//! of its own, and fetches every part, as a browser does. Like the other players it looks at nothing but when pictures
//! come, and which.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read as _;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use futures_util::future::try_join_all;

use super::keep_alive::{Answer, KeepAlive};
use super::stamp::{Stamp, now};
use super::tally::Tally;
use crate::check_hls::{MediaPlaylist, Part, playlists_of, resolve, with_query};

/// A playlist, unpacked, at most.
const PLAYLIST_BYTES_MAX: u64 = 4 << 20;
/// Playlists that are remembered: those of a part's time, of hundreds of streams.
const PLAYLISTS_MAX: usize = 4_096;

thread_local! {
    /// What players on this thread have read, by the bytes that came. On their own machines each of them reads its
    /// playlists alone; what that costs is no server's business, and here it would be what is measured.
    static PLAYLISTS: RefCell<HashMap<Box<[u8]>, Rc<MediaPlaylist>>> = RefCell::default();
}

/// Watches a stream until it is stopped; `number` is the player's own.
pub(super) async fn watch(master: &str, tally: &Arc<Tally>, number: usize) -> anyhow::Result<()> {
    let began = now();
    let master = with_query(master, &format!("viewer=bench-{number}"));
    let followed = renditions(&master).await?.into_iter().map(|playlist| async move {
        let mut rendition = Following::open(&playlist).await?;
        let (mut has_joined, mut last) = (false, None);
        loop {
            let seen = |body: &[u8], independent: bool| {
                tally.message(number, body.len(), None, None);
                for stamp in Stamp::read_all(body) {
                    if independent && !has_joined {
                        has_joined = true;
                        tally.joined(now() - began);
                    }
                    tally.message(number, 0, Some(stamp), last);
                    last = Some(stamp.number);
                }
            };
            rendition.next(seen).await?;
        }
    });
    try_join_all(followed).await.map(|ended: Vec<()>| drop(ended))
}

/// Joins, and leaves at the first picture; how long it took, in nanoseconds.
pub(super) async fn join(master: &str) -> anyhow::Result<u64> {
    let began = now();
    let video = renditions(master).await?.into_iter().find(|playlist| playlist.contains("video"));
    let mut rendition = Following::open(&video.context("there is no picture")?).await?;
    let mut is_there = false;
    while !is_there {
        rendition.next(|_, independent| is_there = independent).await?;
    }
    Ok(now() - began)
}

/// The media playlists of a stream.
async fn renditions(master: &str) -> anyhow::Result<Vec<String>> {
    let mut connection = KeepAlive::open(master).await?;
    let read = |answer: Answer<'_>| Ok(playlists_of(master, &text(&answer)?)?.0);
    connection.get(path(master)?, read).await
}

/// A rendition, from the newest part on with which a decoder can begin.
struct Following {
    connection: KeepAlive,
    /// Its playlist's path and what separates that from more parameters; and what lies beside it.
    playlist: String,
    mark: char,
    folder: String,
    newest: Rc<MediaPlaylist>,
    /// The segment and the part that come next.
    next: (u64, usize),
    /// The initialisation segment that it has.
    map: String,
}

impl Following {
    async fn open(address: &str) -> anyhow::Result<Self> {
        let mut connection = KeepAlive::open(address).await?;
        let playlist = path(address)?.to_owned();
        let newest = connection.get(&playlist, read).await?;
        let numbered = newest.numbered().map(|(number, segment)| (number, &segment.parts));
        let all = numbered.chain([(newest.next_msn(), &newest.open.parts)]);
        let starts = all.flat_map(|(number, parts)| {
            let independent = |(_, part): &(usize, &Part)| part.independent;
            parts.iter().enumerate().filter(independent).map(move |(at, _)| (number, at))
        });
        let next = starts.last().context("no part can be begun with")?;
        let mark = if playlist.contains('?') { '&' } else { '?' };
        let folder = path(&resolve(address, ""))?.to_owned();
        Ok(Self { connection, playlist, mark, folder, newest, next, map: String::new() })
    }

    /// Fetches the next part; `seen` is told its bytes, and whether a decoder can begin with it.
    async fn next(&mut self, mut seen: impl FnMut(&[u8], bool)) -> anyhow::Result<()> {
        loop {
            let (number, at) = self.next;
            let newest = Rc::clone(&self.newest);
            let segment = newest.segment(number);
            if let Some((segment, part)) = segment.and_then(|segment| Some((segment, segment.parts.get(at)?)))
            {
                if let Some(map) = segment.map.as_ref().filter(|map| map.uri != self.map) {
                    self.fetch(&map.uri, |_| {}).await?;
                    self.map.clone_from(&map.uri);
                }
                ensure!(part.place.range.is_none(), "parts that are ranges are not asked for");
                self.next = (number, at + 1);
                return self.fetch(&part.place.uri, |body| seen(body, part.independent)).await;
            }
            if number < newest.next_msn() {
                self.next = (number + 1, 0);
                continue;
            }
            ensure!(!newest.ended, "the stream has ended");
            let Self { connection, playlist, mark, .. } = self;
            let awaited = format_args!("{playlist}{mark}_HLS_msn={number}&_HLS_part={at}&_HLS_skip=YES");
            self.newest = connection.get(awaited, read).await?;
        }
    }

    async fn fetch(&mut self, uri: &str, mut seen: impl FnMut(&[u8])) -> anyhow::Result<()> {
        ensure!(!uri.contains("://"), "{uri} lies elsewhere");
        let folder = if uri.starts_with('/') { "" } else { &self.folder };
        let seen = |answer: Answer<'_>| {
            seen(&answer.body);
            Ok(())
        };
        self.connection.get(format_args!("{folder}{uri}"), seen).await
    }
}

/// A playlist, as another player may have read it before.
fn read(answer: Answer<'_>) -> anyhow::Result<Rc<MediaPlaylist>> {
    PLAYLISTS.with_borrow_mut(|known| {
        if let Some(playlist) = known.get(&*answer.body) {
            return Ok(Rc::clone(playlist));
        }
        if known.len() >= PLAYLISTS_MAX {
            known.clear();
        }
        let playlist = Rc::new(MediaPlaylist::parse(&text(&answer)?).0);
        known.insert(answer.body.into(), Rc::clone(&playlist));
        Ok(playlist)
    })
}

fn text(answer: &Answer<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    let plain = &*answer.body;
    let read = match answer.is_packed {
        true => GzDecoder::new(plain).take(PLAYLIST_BYTES_MAX).read_to_string(&mut text),
        false => plain.take(PLAYLIST_BYTES_MAX).read_to_string(&mut text),
    };
    read.context("no playlist")?;
    Ok(text)
}

/// An address without its host.
fn path(address: &str) -> anyhow::Result<&str> {
    let host = address.split_once("://").map(|(_, rest)| rest).context("no address")?;
    match host.find('/') {
        Some(at) => Ok(&host[at..]),
        None => bail!("{address} names no stream"),
    }
}
