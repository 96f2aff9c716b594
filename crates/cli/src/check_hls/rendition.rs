//! One rendition watched: its playlist loaded again and again, as a player of low latency does it, and every byte that it
//! names.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use hyper::StatusCode;

use super::client::{Answer, Client, resolve, with_query};
use super::finding::Finding;
use super::fragments::{self, Span};
use super::playlist::{MediaPlaylist, Place, Segment};
use super::rules;
use crate::line::Trust;

/// Every so many reloads a delta update is asked for as well.
const DELTA_EVERY: u64 = 8;
/// Addresses that are asked for a second time at the end.
const ASKED_AGAIN: usize = 12;
/// Findings that are told apart. Who has more has read enough.
const FINDINGS_MAX: usize = 1_000;
/// Parts whose bytes are remembered until their segment is complete.
const PARTS_KEPT_MAX: usize = 256;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) playlists: u64,
    pub(super) segments: u64,
    pub(super) parts: u64,
    pub(super) bytes: u64,
    pub(super) breaks: u64,
}

/// A rendition that is being watched.
pub(super) struct Rendition {
    uri: String,
    client: Client,
    before: Option<MediaPlaylist>,
    /// The bytes of parts, by segment, in their order, as long as none is missing.
    parts: BTreeMap<u64, Vec<Bytes>>,
    /// The number up to which segments were fetched.
    fetched: Option<u64>,
    /// What came from each address that must not change.
    seen: HashMap<String, u64>,
    /// Ticks per second, by initialisation segment.
    timescales: HashMap<String, u32>,
    /// Where the newest fragment has ended, and in which segment.
    reached: Option<(u64, Span)>,
    pub(super) counts: Counts,
    pub(super) findings: Vec<Finding>,
}

impl Rendition {
    pub(super) fn new(uri: String, trust: &Trust) -> Self {
        Self {
            uri,
            client: Client::new(trust),
            before: None,
            parts: BTreeMap::new(),
            fetched: None,
            seen: HashMap::new(),
            timescales: HashMap::new(),
            reached: None,
            counts: Counts::default(),
            findings: Vec::new(),
        }
    }

    /// Where its playlist is.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// The newest segment and part that were seen.
    pub(super) fn newest(&self) -> Option<(u64, Option<u64>)> {
        self.before.as_ref()?.newest()
    }

    /// Watches until `until`, or until the playlist is over. `tell` hears of each finding at once.
    ///
    /// # Errors
    /// The playlist cannot be had.
    pub(super) async fn watch(
        &mut self,
        until: Instant,
        tell: &impl Fn(&str, &Finding),
    ) -> anyhow::Result<()> {
        let mut told = 0;
        loop {
            let over = self.reload().await?;
            self.findings[told..].iter().for_each(|finding| tell(&self.uri, finding));
            told = self.findings.len();
            if over || Instant::now() >= until {
                break;
            }
        }
        self.ask_again().await?;
        self.findings[told..].iter().for_each(|finding| tell(&self.uri, finding));
        Ok(())
    }

    /// Loads the playlist once and what is new in it: whether it is over.
    async fn reload(&mut self) -> anyhow::Result<bool> {
        let awaited = self.before.as_ref().and_then(next_part);
        let query = awaited.map(|(msn, part)| match part {
            Some(part) => format!("_HLS_msn={msn}&_HLS_part={part}"),
            None => format!("_HLS_msn={msn}"),
        });
        let target = query.as_ref().map_or_else(|| self.uri.clone(), |query| with_query(&self.uri, query));
        let answer = self.client.get(&target, None).await?;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE && awaited.is_some() {
            // The publisher pauses: the server may say so after three target durations.
            self.check_wait(&answer);
            return Ok(false);
        }
        ensure!(answer.status.is_success(), "{target}: the server answers {}", answer.status);
        self.check_type(&answer);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let (playlist, findings) = MediaPlaylist::parse(&text);
        ensure!(playlist.target_s.is_some(), "{target} is no media playlist");
        self.counts.playlists += 1;
        self.found_all(findings);
        self.found_all(rules::check_alone(&playlist));
        if let Some(awaited) = awaited {
            self.check_wait(&answer);
            if !has(&playlist, awaited) {
                let what = format!("{target} was answered before that part was there");
                self.found(Finding::new("blocking", what));
            }
        }
        if let Some(before) = &self.before {
            self.found_all(rules::check_follows(before, &playlist));
        }
        if self.counts.playlists.is_multiple_of(DELTA_EVERY) {
            self.check_delta(&playlist).await?;
        }
        self.maps(&playlist).await?;
        self.media(&playlist).await?;
        let (over, blocks) = (playlist.ended, next_part(&playlist).is_some());
        let pause = Duration::from_secs(playlist.target_s.unwrap_or(1).max(1)) / 2;
        self.before = Some(playlist);
        if !over && !blocks {
            tokio::time::sleep(pause).await;
        }
        Ok(over)
    }

    fn found_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.found(finding));
    }

    /// Takes note of a finding, once: a playlist that is wrong is loaded many times.
    fn found(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// A blocked request is answered within three target durations (6.2.5.2).
    fn check_wait(&mut self, answer: &Answer) {
        let target_s = self.before.as_ref().and_then(|before| before.target_s).unwrap_or(1);
        if answer.took > Duration::from_secs(3 * target_s + 1) {
            let what = format!("an answer took {:.1} s", answer.took.as_secs_f64());
            self.found(Finding::new("blocking", what));
        }
    }

    /// A playlist says that it is one (4).
    fn check_type(&mut self, answer: &Answer) {
        let value = answer.headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !matches!(kind, "application/vnd.apple.mpegurl" | "audio/mpegurl") {
            let what = format!("the playlist's is {value:?}, not application/vnd.apple.mpegurl");
            self.found(Finding::new("content type", what));
        }
    }

    async fn check_delta(&mut self, whole: &MediaPlaylist) -> anyhow::Result<()> {
        let can_skip = whole.control.as_ref().is_some_and(|control| control.skip_until_us.is_some());
        if !can_skip {
            return Ok(());
        }
        let answer = self.client.get(&with_query(&self.uri, "_HLS_skip=YES"), None).await?;
        let (delta, findings) = MediaPlaylist::parse(&String::from_utf8_lossy(&answer.body));
        self.found_all(findings);
        self.found_all(rules::check_delta(whole, &delta));
        Ok(())
    }

    /// Fetches what is new: parts while their segment is open, segments when they are complete.
    async fn media(&mut self, playlist: &MediaPlaylist) -> anyhow::Result<()> {
        // A player begins near the end.
        let first = *self.fetched.get_or_insert_with(|| playlist.next_msn().saturating_sub(2));
        for (msn, segment) in playlist.numbered().filter(|(msn, it)| *msn >= first && !it.gap) {
            self.new_parts(msn, segment).await?;
            self.segment(playlist, msn, segment).await?;
        }
        self.fetched = Some(playlist.next_msn().max(first));
        self.new_parts(playlist.next_msn(), &playlist.open).await
    }

    async fn new_parts(&mut self, msn: u64, segment: &Segment) -> anyhow::Result<()> {
        let had = self.parts.get(&msn).map_or(0, Vec::len);
        for (number, part) in segment.parts.iter().enumerate().skip(had) {
            let Some(bytes) = self.fetch(&part.place).await? else { return Ok(()) };
            self.counts.parts += 1;
            self.check_span(msn, &format!("part {msn}.{number}"), segment, &bytes, part.independent);
            self.parts.entry(msn).or_default().push(bytes);
        }
        while self.parts.len() > PARTS_KEPT_MAX {
            self.parts.pop_first();
        }
        Ok(())
    }

    /// A segment that is complete: byte for byte its parts.
    async fn segment(&mut self, playlist: &MediaPlaylist, msn: u64, segment: &Segment) -> anyhow::Result<()> {
        let Some(bytes) = self.fetch(&segment.place).await? else { return Ok(()) };
        self.counts.segments += 1;
        self.counts.breaks += u64::from(segment.discontinuity);
        let parts = self.parts.remove(&msn).unwrap_or_default();
        if !parts.is_empty() && parts.len() == segment.parts.len() && parts.concat() != bytes {
            let what = format!("the {} parts of segment {msn} are not the segment", parts.len());
            self.found(Finding::new("bytes", what));
        }
        if parts.is_empty() {
            self.check_span(msn, &format!("segment {msn}"), segment, &bytes, false);
        }
        if let (Ok((span, _)), Some(scale)) = (fragments::span(&bytes), self.scale(segment)) {
            let lasts_us = (span.end - span.start).saturating_mul(1_000_000) / u64::from(scale);
            if lasts_us.abs_diff(segment.lasts_us) > 50_000 {
                let what = format!("segment {msn} holds {lasts_us} µs and says {}", segment.lasts_us);
                self.found(Finding::new("duration", what));
            }
            if playlist.independent && !span.starts_with_sync {
                let what = format!("segment {msn} does not begin with a key frame");
                self.found(Finding::new("independent", what));
            }
        }
        Ok(())
    }

    /// What bytes say of their times, held against what came before.
    fn check_span(&mut self, msn: u64, name: &str, segment: &Segment, bytes: &[u8], independent: bool) {
        let (span, findings) = match fragments::span(bytes) {
            Ok(found) => found,
            Err(finding) => {
                return self.found(Finding::new(finding.rule, format!("{name}: {}", finding.what)));
            }
        };
        self.found_all(findings);
        if independent && !span.starts_with_sync {
            let what = format!("{name} is called independent and begins with no key frame");
            self.found(Finding::new("independent", what));
        }
        if let Some((before, reached)) = self.reached {
            let breaks = segment.discontinuity && before != msn;
            let follows = before == msn || before + 1 == msn;
            if follows && !breaks && span.start.abs_diff(reached.end) > 2 {
                let what = format!(
                    "{name} begins at tick {}, what is before it ends at {}",
                    span.start, reached.end
                );
                self.found(Finding::new("times", what));
            }
        }
        self.reached = Some((msn, span));
    }

    fn scale(&self, segment: &Segment) -> Option<u32> {
        self.timescales.get(&segment.map.as_ref()?.uri).copied()
    }

    /// What an address of the playlist gives; nothing if it has gone meanwhile, which is a finding.
    async fn fetch(&mut self, place: &Place) -> anyhow::Result<Option<Bytes>> {
        let target = resolve(&self.uri, &place.uri);
        let answer = self.client.get(&target, place.range).await?;
        if !answer.status.is_success() {
            let what = format!("{} is listed, and the server answers {}", place.uri, answer.status);
            self.found(Finding::new("address", what));
            return Ok(None);
        }
        self.counts.bytes += answer.body.len() as u64;
        let key = format!("{target} {:?}", place.range);
        let before = self.seen.insert(key, hash(&answer.body));
        if before.is_some_and(|before| before != hash(&answer.body)) {
            self.found(Finding::new("bytes", format!("{} has changed", place.uri)));
        }
        Ok(Some(answer.body))
    }

    /// Initialisation segments that were not seen yet.
    async fn maps(&mut self, playlist: &MediaPlaylist) -> anyhow::Result<()> {
        let listed = playlist.segments.iter().chain([&playlist.open]);
        for map in listed.filter_map(|segment| segment.map.clone()) {
            if self.timescales.contains_key(&map.uri) {
                continue;
            }
            let Some(bytes) = self.fetch(&map).await? else { continue };
            match fragments::timescale(&bytes) {
                Some(scale) => drop(self.timescales.insert(map.uri, scale)),
                None => self.found(Finding::new("map", format!("{} has no track", map.uri))),
            }
        }
        Ok(())
    }

    /// Asks for some of what is still listed a second time: the same bytes must come.
    async fn ask_again(&mut self) -> anyhow::Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let mut places: Vec<Place> =
            before.segments.iter().rev().filter(|it| !it.gap).map(|segment| segment.place.clone()).collect();
        places.truncate(ASKED_AGAIN);
        for place in places {
            self.fetch(&place).await?;
        }
        Ok(())
    }
}

/// The part that a player asks for next, if the server can block.
fn next_part(playlist: &MediaPlaylist) -> Option<(u64, Option<u64>)> {
    let blocks = playlist.control.as_ref().is_some_and(|control| control.can_block) && !playlist.ended;
    let part = playlist.part_target_us.map(|_| playlist.open.parts.len() as u64);
    blocks.then(|| (playlist.next_msn(), part))
}

/// Whether a playlist has what was asked for, or what is behind it.
fn has(playlist: &MediaPlaylist, (msn, part): (u64, Option<u64>)) -> bool {
    let complete = playlist.next_msn() > msn;
    let open = part.is_some_and(|part| playlist.next_msn() == msn && playlist.open.parts.len() as u64 > part);
    complete || open || playlist.ended
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
