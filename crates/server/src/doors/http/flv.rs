//! HTTP-FLV: a live stream as one endless FLV file, from a keyframe on and from time zero.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use headwater_hub::{Awaited, Batch, DecoderSetup, PartContent, State, StreamName};
use headwater_media::MediaKind;
use headwater_media::flv::{Begun, Dialect, Muxer};

use super::Shared;
use crate::metrics::Guard;
use crate::sources;
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
    match open(shared, name, selection, "http-flv").await {
        Ok(viewer) => (headers, Body::new(FlvBody { next: Box::pin(step(viewer)) })).into_response(),
        Err(refusal) => refusal,
    }
}

/// Opens a cursor and waits for the stream's first frames; the refusal says why there are none.
pub(super) async fn open(
    shared: &Shared,
    name: &StreamName,
    selection: TrackSelection,
    door: &'static str,
) -> Result<Viewer, Response> {
    let subscriber = sources::open_live(&shared.sources, name)
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response())?;
    let since = shared.sources.uptime.now();
    let guard = shared.metrics.viewer(door);
    let mut viewer = Viewer {
        cursor: subscriber.into_awaited(),
        batch: Batch::default(),
        writer: Writer::new(selection.apply(Dialect::PLAIN)),
        _guard: guard,
    };
    while !viewer.ready(WAIT_STEP).await {
        let waited = shared.sources.uptime.now().saturating_sub(since);
        let waits = viewer.cursor.subscriber().state() == State::Waiting;
        if waits && sources::waited_enough(*shared.sources.viewing.get(), waited) {
            let text = format!("nobody publishes {name}; waited {} s\n", waited.as_secs());
            return Err((StatusCode::NOT_FOUND, text).into_response());
        }
    }
    Ok(viewer)
}

/// One viewer: a cursor and what turns its frames into FLV.
pub(super) struct Viewer {
    cursor: Awaited,
    batch: Batch,
    writer: Writer,
    _guard: Guard,
}

impl Viewer {
    /// Waits for the first frames for at most `step`; true when there are some or there never will be.
    async fn ready(&mut self, step: Duration) -> bool {
        match tokio::time::timeout(step, self.cursor.next(&mut self.batch)).await {
            Ok(true) => true,
            Ok(false) => {
                self.batch.frames.clear();
                true
            }
            Err(_) => false,
        }
    }

    /// The next piece of the file; `None` at the end of the broadcast.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.batch.frames.is_empty() && !self.cursor.next(&mut self.batch).await {
            return None;
        }
        let bytes = self.writer.write(&self.batch);
        self.batch.frames.clear();
        Some(bytes)
    }
}

/// Turns batches into FLV bytes for one viewer, whose time starts at zero.
#[derive(Debug)]
struct Writer {
    /// What the viewer asks for; the muxer's dialect is this one with tracks chosen for the setup in force.
    takes: Dialect,
    fitted: Option<Arc<DecoderSetup>>,
    muxer: Option<Muxer>,
    begun: Begun,
    seen: Option<u64>,
}

impl Writer {
    fn new(takes: Dialect) -> Self {
        Self { takes, fitted: None, muxer: None, begun: Begun::default(), seen: None }
    }

    fn write(&mut self, batch: &Batch) -> Bytes {
        let size = batch.frames.iter().map(|frame| frame.payload.len() + 32).sum::<usize>() + 1024;
        let mut out = BytesMut::with_capacity(size);
        let Some(first) = batch.frames.first() else { return Bytes::new() };
        let setup = &batch.setup;
        let (takes, is_new) = (self.takes, self.muxer.is_none());
        let muxer = self.muxer.get_or_insert_with(|| Muxer::new(first.dts, takes));
        if !self.fitted.as_ref().is_some_and(|fitted| Arc::ptr_eq(fitted, setup)) {
            // Such a viewer has named no codec that it lacks, so there is always something for it.
            muxer.set_dialect(takes.fitted(setup.tracks()).unwrap_or(takes));
            self.fitted = Some(Arc::clone(setup));
        }
        if is_new {
            muxer.write_header(setup.has(MediaKind::Audio), setup.has(MediaKind::Video), &mut out);
        }
        for part in setup.unseen(self.seen) {
            match part {
                PartContent::Metadata(values) => muxer.write_script(values, first.dts, &mut out),
                PartContent::Track(track) => muxer.write_track(track, first.dts, &mut out),
            }
        }
        if self.seen.is_some_and(|seen| batch.first != seen + 1) {
            self.begun = Begun::default();
        }
        for frame in &batch.frames {
            if self.begun.admits(frame) {
                muxer.write_frame(frame, &mut out);
            }
        }
        self.seen = Some(batch.first + batch.frames.len() as u64 - 1);
        out.freeze()
    }
}

/// The viewer as a response body: one future at a time, polled when the connection can take more.
struct FlvBody {
    next: Pin<Box<dyn Future<Output = Step> + Send>>,
}

/// A piece of the file, and the viewer for the next one.
type Step = Option<(Bytes, Viewer)>;

async fn step(mut viewer: Viewer) -> Step {
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
    use headwater_hub::{Hub, HubConfig, LagPolicy, PublisherInfo, Start};
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
            hub.subscribe(&name, Start::NewestKeyframe, LagPolicy::Lossless, Duration::ZERO).unwrap();
        let mut awaited = cursor.into_awaited();
        let mut batch = Batch::default();
        assert!(awaited.next(&mut batch).await);
        let bytes = Writer::new(Dialect::PLAIN).write(&batch);
        assert_eq!(&bytes[..5], b"FLV\x01\x05");
        assert_eq!(tags(&bytes), [(9, 0), (8, 0), (9, 0), (8, 0), (8, 13)]);
    }
}
