//! HTTP-FLV: a live stream as one endless FLV file, from a keyframe on and from time zero.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use headwater_hub::{Batch, Bell, DecoderSetup, Next, PartContent, Playback, StreamName, Watch, Watcher};
use headwater_media::MediaKind;
use headwater_media::flv::{Dialect, KeyframeGate, Muxer};

use super::refusals::refused;
use super::shared::Shared;
use crate::metrics::Guard;
use crate::sources::{self, From};
use crate::track_selection::TrackSelection;

/// How often a waiting request looks whether it has waited long enough.
const WAIT_STEP: Duration = Duration::from_millis(500);

/// Answers `GET /<app>/<name>.flv`.
pub(super) async fn watch(
    shared: &Shared,
    name: &StreamName,
    selection: TrackSelection,
    method: &Method,
) -> Response {
    let headers = [(header::CONTENT_TYPE, "video/x-flv"), (header::CACHE_CONTROL, "no-cache, no-store")];
    if *method == Method::HEAD {
        let status = if shared.sources.hub.is_live(name) { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return (status, headers).into_response();
    }
    match open(shared, name, From::Live, selection, "http-flv").await {
        Ok(viewer) => {
            (headers, Body::new(FlvBody { next: Box::pin(step(Box::new(viewer))) })).into_response()
        }
        Err(refusal) => refusal,
    }
}

/// Opens what `name` is and waits for the first frames; the refusal says why there are none.
pub(super) async fn open(
    shared: &Shared,
    name: &StreamName,
    from: From,
    selection: TrackSelection,
    door: &'static str,
) -> Result<Viewer, Response> {
    let cursor = sources::open(&shared.sources, name, name.name(), from).await;
    let cursor = cursor.map_err(|refusal| refused(&refusal))?;
    let mut viewer = Viewer::new(
        shared.sources.playback(cursor),
        selection.apply(Dialect::PLAIN),
        shared.metrics.viewer(door),
    );
    let since = shared.sources.uptime.now();
    while !viewer.is_ready(WAIT_STEP).await {
        let now = shared.sources.uptime.now();
        if viewer.playback.is_overdue(now) {
            let waited = now.saturating_sub(since);
            let text = format!("nobody publishes {name}; waited {} s\n", waited.as_secs());
            return Err((StatusCode::NOT_FOUND, text).into_response());
        }
    }
    Ok(viewer)
}

/// One viewer: its playback, and what turns frames into FLV.
pub(super) struct Viewer {
    playback: Playback,
    bell: Arc<Bell>,
    batch: Batch,
    writer: Writer,
    _watch: Watch,
    _guard: Guard,
}

impl Viewer {
    fn new(playback: Playback, takes: Dialect, guard: Guard) -> Self {
        let bell = Arc::new(Bell::default());
        let watch = playback.watch(Arc::clone(&bell) as Arc<dyn Watcher>);
        let (batch, writer) = (Batch::default(), Writer::new(takes));
        Self { playback, bell, batch, writer, _watch: watch, _guard: guard }
    }

    /// Waits for the first frames for at most `step`; true when there are some or there never will be.
    async fn is_ready(&mut self, step: Duration) -> bool {
        tokio::time::timeout(step, self.read()).await.is_ok()
    }

    /// The next piece of the file; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if !self.read().await {
            return None;
        }
        let bytes = self.writer.write(&self.batch, &self.playback);
        self.playback.advance(&self.batch, self.playback.admitted());
        // Between two pieces a viewer holds no frame.
        self.batch.frames.clear();
        Some(bytes)
    }

    /// Waits until there is something to send; false at the end.
    async fn read(&mut self) -> bool {
        loop {
            match self.playback.read(&mut self.batch) {
                Next::Frames => return true,
                Next::Empty => self.bell.rung().await,
                Next::Ended => return false,
            }
        }
    }
}

/// Turns batches into FLV bytes for one viewer, whose time starts at zero.
#[derive(Debug)]
struct Writer {
    /// What the viewer asks for; the muxer's dialect is this one with tracks chosen for the setup in force.
    takes: Dialect,
    fitted: Option<Arc<DecoderSetup>>,
    muxer: Option<Muxer>,
    begun: KeyframeGate,
    /// The playback's breaks so far: one more, and every video track has to begin anew.
    breaks: u64,
}

impl Writer {
    fn new(takes: Dialect) -> Self {
        Self { takes, fitted: None, muxer: None, begun: KeyframeGate::default(), breaks: 0 }
    }

    fn write(&mut self, batch: &Batch, playback: &Playback) -> Bytes {
        let frames = &batch.frames[..playback.admitted()];
        let size = frames.iter().map(|frame| frame.payload.len() + 32).sum::<usize>() + 1024;
        let mut out = BytesMut::with_capacity(size);
        let Some(first) = frames.first() else { return Bytes::new() };
        let setup = &batch.setup;
        let (takes, is_new) = (self.takes, self.muxer.is_none());
        let muxer = self.muxer.get_or_insert_with(|| Muxer::new(playback.origin(), takes));
        if !self.fitted.as_ref().is_some_and(|fitted| Arc::ptr_eq(fitted, setup)) {
            // Such a viewer has named no codec that it lacks, so there is always something for it.
            muxer.set_dialect(takes.fitted(setup.tracks()).unwrap_or(takes));
            self.fitted = Some(Arc::clone(setup));
        }
        if is_new {
            muxer.write_header(setup.has(MediaKind::Audio), setup.has(MediaKind::Video), &mut out);
        }
        for part in setup.unseen(playback.seen()) {
            match part {
                PartContent::Metadata(values) => muxer.write_script(values, first.dts, &mut out),
                PartContent::Track(track) => muxer.write_track(track, first.dts, &mut out),
            }
        }
        if self.breaks != playback.breaks() {
            self.breaks = playback.breaks();
            self.begun = KeyframeGate::default();
        }
        for frame in frames {
            if self.begun.admits(frame) {
                muxer.write_frame(frame, &mut out);
            }
        }
        out.freeze()
    }
}

/// The viewer as a response body: one future at a time, polled when the connection can take more.
struct FlvBody {
    next: Pin<Box<dyn Future<Output = Step> + Send>>,
}

/// A piece of the file, and the viewer for the next one.
type Step = Option<(Bytes, Box<Viewer>)>;

async fn step(mut viewer: Box<Viewer>) -> Step {
    let bytes = viewer.next().await?;
    Some((bytes, viewer))
}

impl HttpBody for FlvBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.next.as_mut().poll(context).map(|stepped| {
            let (bytes, viewer) = stepped?;
            self.next = Box::pin(step(viewer));
            Some(Ok(http_body::Frame::data(bytes)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::sources::made_up::{MadeUp, PICTURES};
    use headwater_hub::{Hub, HubConfig, PublisherInfo, Start};
    use headwater_media::{Codec, Frame, Timestamp, Track, TrackId};

    fn frame(track: TrackId, ms: i64, key: bool, payload: &'static [u8]) -> Frame {
        let codec = if track.kind == MediaKind::Video { Codec::H264 } else { Codec::Aac };
        let at = Timestamp::from_ms(ms);
        Frame { track, codec, dts: at, pts: at, key, payload: Bytes::from_static(payload) }
    }

    /// (tag type, time) of each tag of an FLV file.
    fn tags(mut file: &[u8]) -> Vec<(u8, u32)> {
        file = &file[13..];
        let mut tags = Vec::new();
        while let [kind, a, b, c, t1, t2, t3, t0, ..] = *file {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            tags.push((kind, u32::from_be_bytes([t0, t1, t2, t3])));
            file = &file[15 + length..];
        }
        tags
    }

    #[tokio::test]
    async fn a_late_viewer_gets_configurations_then_a_keyframe_at_zero() {
        let hub = Arc::new(Hub::new(HubConfig::default()));
        let name = StreamName::parse("live/a").unwrap();
        let mut publisher = hub.publish(&name, PublisherInfo::default(), Duration::ZERO).unwrap();
        let avcc = Bytes::from_static(&[1, 66, 0, 30, 255]);
        publisher.set_track(Track::new(TrackId::VIDEO, Codec::H264, avcc));
        publisher.set_track(Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(&[18, 16])));
        for (track, ms, key) in [
            (TrackId::VIDEO, 7000, true),
            (TrackId::VIDEO, 9000, true),
            (TrackId::AUDIO, 8990, true),
            (TrackId::AUDIO, 9013, true),
        ] {
            publisher.push(frame(track, ms, key, b"xyz"), Duration::ZERO);
        }
        let cursor =
            hub.subscribe(&name, Start::NewestKeyframe, Timestamp::from_ms(6_000), Duration::ZERO).unwrap();
        let playback = Playback::new(Box::new(cursor), Duration::ZERO, Duration::ZERO);
        let bytes = Viewer::new(playback, Dialect::PLAIN, Arc::new(Metrics::default()).viewer("http-flv"))
            .next()
            .await
            .unwrap();
        assert_eq!(&bytes[..5], b"FLV\x01\x05");
        assert_eq!(tags(&bytes), [(9, 0), (8, 0), (9, 0), (8, 0), (8, 13)]);
    }

    #[tokio::test]
    async fn a_source_that_no_door_knows_is_played_as_flv() {
        let guard = Arc::new(Metrics::default()).viewer("http-flv");
        let mut viewer = Viewer::new(MadeUp::play(), Dialect::PLAIN, guard);
        let mut file = Vec::new();
        while let Some(bytes) = viewer.next().await {
            file.extend_from_slice(&bytes);
        }
        assert_eq!(&file[..5], b"FLV\x01\x01");
        let times: Vec<u32> = (0..PICTURES as u32).map(|number| number * 40).collect();
        let told: Vec<u32> = tags(&file).into_iter().skip(1).map(|(_, ms)| ms).collect();
        assert_eq!(told, times, "a configuration, then every picture");
        for number in 0..PICTURES {
            let payload = MadeUp::payload(number);
            assert!(file.windows(payload.len()).any(|bytes| bytes == payload), "picture {number}");
        }
    }
}
