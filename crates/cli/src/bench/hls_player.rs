//! A player of low-latency HLS: it follows every rendition of the master playlist by blocking reloads, each on a connection
//! of its own, and fetches every part. Like the other players it looks at nothing but when pictures come, and which.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;

use super::stamp::{Stamp, now};
use super::tally::Tally;
use crate::check_hls::{Client, MediaPlaylist, Part, renditions, resolve, with_query};
use crate::line::Trust;

/// Watches a stream until it is stopped; `number` is the player's own.
pub(super) async fn watch(master: &str, tally: &Arc<Tally>, number: usize) -> anyhow::Result<()> {
    let began = now();
    let master = with_query(master, &format!("viewer=bench-{number}"));
    let playlists = renditions(&master, &Trust::default()).await?.0;
    let followed = playlists.into_iter().map(|playlist| async move {
        let mut rendition = Following::open(playlist).await?;
        let (mut has_joined, mut last) = (false, None);
        loop {
            let (body, independent) = rendition.next().await?;
            let stamps = Stamp::read_all(&body);
            if independent && !has_joined && !stamps.is_empty() {
                has_joined = true;
                tally.joined(now() - began);
            }
            tally.message(number, body.len(), None, None);
            for stamp in stamps {
                tally.message(number, 0, Some(stamp), last);
                last = Some(stamp.number);
            }
        }
    });
    try_join_all(followed).await.map(|ended: Vec<()>| drop(ended))
}

/// Joins, and leaves at the first picture; how long it took, in nanoseconds.
pub(super) async fn join(master: &str) -> anyhow::Result<u64> {
    let began = now();
    let playlists = renditions(master, &Trust::default()).await?.0;
    let video = playlists.into_iter().find(|playlist| playlist.contains("video"));
    let mut rendition = Following::open(video.context("there is no picture")?).await?;
    while !rendition.next().await?.1 {}
    Ok(now() - began)
}

/// A rendition, from the newest part on with which a decoder can begin.
struct Following {
    client: Client,
    playlist: String,
    newest: MediaPlaylist,
    /// The segment and the part that come next.
    next: (u64, usize),
}

impl Following {
    async fn open(playlist: String) -> anyhow::Result<Self> {
        let mut client = Client::new(&Trust::default());
        let newest = load(&mut client, &playlist).await?;
        let numbered = newest.numbered().map(|(number, segment)| (number, &segment.parts));
        let all = numbered.chain([(newest.next_msn(), &newest.open.parts)]);
        let starts = all.flat_map(|(number, parts)| {
            let independent = |(_, part): &(usize, &Part)| part.independent;
            parts.iter().enumerate().filter(independent).map(move |(at, _)| (number, at))
        });
        let next = starts.last().context("no part can be begun with")?;
        Ok(Self { client, playlist, newest, next })
    }

    /// The next part, and whether a decoder can begin with it.
    async fn next(&mut self) -> anyhow::Result<(Bytes, bool)> {
        loop {
            let (number, at) = self.next;
            let parts = self.newest.segment(number).map_or(&[][..], |segment| &segment.parts);
            if let Some(part) = parts.get(at) {
                let (uri, independent) = (resolve(&self.playlist, &part.place.uri), part.independent);
                self.next = (number, at + 1);
                return Ok((get(&mut self.client, &uri).await?, independent));
            }
            if number < self.newest.next_msn() {
                self.next = (number + 1, 0);
                continue;
            }
            ensure!(!self.newest.ended, "the stream has ended");
            let awaited =
                with_query(&self.playlist, &format!("_HLS_msn={number}&_HLS_part={at}&_HLS_skip=YES"));
            self.newest = load(&mut self.client, &awaited).await?;
        }
    }
}

async fn load(client: &mut Client, playlist: &str) -> anyhow::Result<MediaPlaylist> {
    let text = get(client, playlist).await?;
    Ok(MediaPlaylist::parse(&String::from_utf8_lossy(&text)).0)
}

async fn get(client: &mut Client, uri: &str) -> anyhow::Result<Bytes> {
    let answer = client.get(uri, None).await?;
    if !answer.status.is_success() {
        bail!("{uri}: the server answers {}", answer.status);
    }
    Ok(answer.body)
}
