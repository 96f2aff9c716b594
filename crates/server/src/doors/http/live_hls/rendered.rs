//! Playlists as text: made once for all who ask for the same, packed once, and answered with what caches must know.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Weak};

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_archive::{Init, Outline, Reach, TARGET_DURATION, Window};
use headwater_media::MediaKind;
use headwater_media::hls::{Announced, IFrameVariant, MasterPlaylist, Rendition, RenditionKind, Variant};
use parking_lot::Mutex;

use super::extent::{Extent, TO_FRAGMENTS, TO_PLAYLISTS, TO_REPORTS, handed_on};
use super::outline::Showing;
use crate::doors::http::line_name::LineName;
use crate::doors::http::playlist_text::PlaylistText;
use crate::doors::http::query::Query;

const SOUND: &str = "sound";

/// A playlist of a rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) line: LineName,
    pub(super) extent: Extent,
    /// Whether segments that the client has are left out.
    pub(super) skip: bool,
    /// Whether it is the one of the key frames.
    pub(super) keys: bool,
}

/// The playlists that were made last, of all broadcasts.
#[derive(Debug, Default)]
pub(crate) struct Playlists(Mutex<HashMap<u64, OfBroadcast>>);

#[derive(Debug)]
struct OfBroadcast {
    window: Weak<Window>,
    made: HashMap<Wanted, Arc<Mutex<Option<Made>>>>,
}

/// A text, and what it tells of.
#[derive(Clone, Debug)]
struct Made {
    of: State,
    /// What its addresses end in.
    query: String,
    text: PlaylistText,
}

/// How far a rendition has come, and from where to where the window's segments go: they do also while a rendition has nothing new,
/// and with them what it tells of others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    reach: Reach,
    kept: Range<u64>,
}

impl Playlists {
    /// Answers with a media playlist. `is_blocked`: it was waited for, so the answer is as true in an hour.
    pub(super) fn answer(
        &self,
        request: &Parts,
        window: &Arc<Window>,
        wanted: Wanted,
        query: Query<'_>,
        is_blocked: bool,
    ) -> Response {
        let Some(text) = self.text(window, wanted, query) else {
            return gone(window, &format!("playlist {}", wanted.line));
        };
        let cache = match (is_blocked, window.is_ended()) {
            // For caches that many ask; video.js asks again for what it has, and wants what has come since.
            (true, _) => format!("public, max-age=0, s-maxage={}", 6 * TARGET_DURATION.as_secs()),
            (false, true) => format!("public, max-age={}", TARGET_DURATION.as_secs()),
            // True until the next part: whoever keeps it asks again.
            (false, false) => "no-cache".to_owned(),
        };
        text.answer(&request.headers, &cache)
    }

    /// The text as the rendition stands now; `None` if there is no such rendition.
    pub(super) fn text(
        &self,
        window: &Arc<Window>,
        wanted: Wanted,
        query: Query<'_>,
    ) -> Option<PlaylistText> {
        // By itself: who looks at the reach holds up the window, which must not be asked meanwhile.
        let reach = *window.reach(wanted.line.0)?.borrow();
        let state = State { reach, kept: window.kept_numbers() };
        let fragments_query = handed_on(query, TO_FRAGMENTS);
        let place = self.place(window, wanted);
        // Who comes while it is made waits for that: it takes less than making it again.
        let mut made = place.lock();
        if let Some(made) = made.as_ref().filter(|made| made.of == state && made.query == fragments_query) {
            return Some(made.text.clone());
        }
        let text = render(window, wanted, fragments_query.clone(), handed_on(query, TO_REPORTS))?;
        *made = Some(Made { of: state, query: fragments_query, text: text.clone() });
        Some(text)
    }

    fn place(&self, window: &Arc<Window>, wanted: Wanted) -> Arc<Mutex<Option<Made>>> {
        let mut all = self.0.lock();
        if !all.contains_key(&window.broadcast()) {
            all.retain(|_, broadcast| broadcast.window.strong_count() > 0);
        }
        let of_broadcast = all
            .entry(window.broadcast())
            .or_insert_with(|| OfBroadcast { window: Arc::downgrade(window), made: HashMap::new() });
        Arc::clone(of_broadcast.made.entry(wanted).or_default())
    }
}

fn render(window: &Window, wanted: Wanted, query: String, reports_query: String) -> Option<PlaylistText> {
    let mut outline = window.outline(wanted.line.0)?;
    wanted.extent.cut(&mut outline);
    let showing = Showing { window, line: wanted.line, outline, query, reports_query };
    let playlist = if wanted.keys { showing.keys() } else { showing.media(wanted.skip) };
    Some(PlaylistText::new(playlist.to_string()))
}

/// One rendition, as a master playlist tells of it.
struct Line {
    name: LineName,
    announced: Announced,
    outline: Outline,
}

/// Answers with the master playlist.
pub(super) fn master(request: &Parts, window: &Window, extent: Extent, query: Query<'_>) -> Response {
    let query = handed_on(query, TO_PLAYLISTS);
    let lines: Vec<Line> = window
        .renditions()
        .iter()
        .filter_map(|init| {
            let mut outline = window.outline(init.rendition)?;
            extent.cut(&mut outline);
            let announced = announced(&outline, init);
            Some(Line { name: LineName(init.rendition), announced, outline })
        })
        .collect();
    if lines.is_empty() {
        return gone(window, "track that HLS can carry");
    }
    let (videos, sounds): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| line.name.0.kind == MediaKind::Video);
    let mut playlist = MasterPlaylist::default();
    let mut sound_codecs: Vec<String> =
        sounds.iter().flat_map(|line| line.announced.codecs.clone()).collect();
    sound_codecs.sort();
    sound_codecs.dedup();
    let loudest = sounds.iter().map(|line| line.bandwidth()).max().unwrap_or_default();
    for line in &videos {
        let group = (!sounds.is_empty()).then_some(SOUND);
        playlist.variants.push(line.variant(loudest, &sound_codecs, group, &query));
        playlist.i_frames.extend(line.i_frames(&query));
    }
    if videos.is_empty() {
        // Without pictures the sounds are the variants.
        playlist.variants = sounds.iter().map(|line| line.variant((0, 0), &[], None, &query)).collect();
    } else {
        playlist.renditions =
            sounds.iter().enumerate().map(|(at, line)| line.sound(at + 1, &query)).collect();
    }
    // Tracks come and go: it holds for a moment.
    PlaylistText::new(playlist.to_string()).answer(&request.headers, "no-cache")
}

/// What a rendition is in the segments that are told of, and what it is now.
fn announced(outline: &Outline, newest: &Init) -> Announced {
    let mut inits: Vec<&Init> =
        outline.segments.iter().filter_map(|held| held.init()).map(AsRef::as_ref).collect();
    inits.push(newest);
    inits.dedup_by_key(|init| init.number);
    let mut announced = Announced::default();
    for init in inits {
        announced.add(init.track.codec, init.track.details_with(&init.key_frame));
    }
    announced
}

impl Line {
    /// Bits per second: the most of any segment, and over all.
    fn bandwidth(&self) -> (u64, u64) {
        let rate = |bytes: u64, nanos: i64| {
            let nanos = u128::try_from(nanos).unwrap_or(0).max(100_000_000);
            u64::try_from(u128::from(bytes) * 8_000_000_000 / nanos).unwrap_or(u64::MAX)
        };
        let (mut most, mut bytes, mut nanos) = (0, 0, 0);
        for held in &self.outline.segments {
            let lasts = held.duration().as_nanos();
            if held.is_complete {
                most = most.max(rate(held.len(), lasts));
            }
            bytes += held.len();
            nanos += lasts;
        }
        let average = rate(bytes, nanos);
        (most.max(average), average)
    }

    /// Pictures per second, counted in the newest segments, if the configuration does not say it.
    fn frame_rate(&self) -> Option<f64> {
        if self.name.0.kind != MediaKind::Video {
            return None;
        }
        let newest = self.outline.segments.iter().rev().take(4);
        let (samples, seconds) = newest.fold((0, 0.0), |(samples, seconds), held| {
            let own: usize = held.parts.iter().map(|kept| kept.part().samples.len()).sum();
            (samples + own, seconds + held.duration().as_seconds())
        });
        let counted = (samples > 1 && seconds > 0.0).then(|| samples as f64 / seconds);
        self.announced.frame_rate.or(counted)
    }

    fn variant(
        &self,
        sound: (u64, u64),
        sound_codecs: &[String],
        audio: Option<&str>,
        query: &str,
    ) -> Variant {
        let (most, average) = self.bandwidth();
        let codecs = self.announced.codecs.iter().chain(sound_codecs).cloned().collect();
        Variant {
            uri: format!("hls/{}.m3u8{query}", self.name),
            bandwidth: most + sound.0,
            average_bandwidth: average + sound.1,
            codecs,
            resolution: self.announced.resolution,
            frame_rate: self.frame_rate(),
            audio: audio.map(str::to_owned),
            subtitles: None,
        }
    }

    /// The key frames, where segments begin with some.
    fn i_frames(&self, query: &str) -> Option<IFrameVariant> {
        let firsts = self.outline.segments.iter().filter_map(|held| held.parts.first());
        let keys = firsts.filter_map(|first| first.part().samples.first().filter(|it| it.sample.key));
        let (count, bytes) =
            keys.fold((0, 0), |(count, bytes), key| (count + 1, bytes + u64::from(key.sample.len)));
        let seconds: f64 = self.outline.segments.iter().map(|held| held.duration().as_seconds()).sum();
        let rate = (bytes as f64 * 8.0 / seconds.max(0.1)) as u64;
        (count > 0).then(|| IFrameVariant {
            uri: format!("hls/{}-keys.m3u8{query}", self.name),
            bandwidth: rate,
            average_bandwidth: rate,
            codecs: self.announced.codecs.clone(),
            resolution: self.announced.resolution,
        })
    }

    fn sound(&self, number: usize, query: &str) -> Rendition {
        Rendition {
            kind: RenditionKind::Audio,
            group: SOUND.to_owned(),
            name: format!("Sound {number}"),
            language: None,
            default: number == 1,
            channels: self.announced.channels,
            uri: format!("hls/{}.m3u8{query}", self.name),
        }
    }
}

/// What is not there: it may have been, or may come.
pub(super) fn gone(window: &Window, what: &str) -> Response {
    let text = format!("{} has no {what}, or has it no longer; load the playlist again\n", window.name());
    let mut response = (StatusCode::NOT_FOUND, text).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
