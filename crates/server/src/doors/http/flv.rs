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
use headwater_media::flv::{Dialect, KeyframeGate, Muxer};
use headwater_media::{MediaKind, TrackId};

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
    /// What the viewer asks for, and this with tracks chosen for the setup in force.
    takes: Dialect,
    dialect: Dialect,
    fitted: Option<Arc<DecoderSetup>>,
    muxer: Option<Muxer>,
    /// Tracks that had fallen silent when the viewer came, and that the log still held where it began: the head does
    /// not promise them, so they are left out until they are back.
    silent: Vec<(TrackId, u64)>,
    begun: KeyframeGate,
    /// The playback's breaks so far: one more, and every video track has to begin anew.
    breaks: u64,
}

impl Writer {
    fn new(takes: Dialect) -> Self {
        Self {
            takes,
            dialect: takes,
            fitted: None,
            muxer: None,
            silent: Vec::new(),
            begun: KeyframeGate::default(),
            breaks: 0,
        }
    }

    fn write(&mut self, batch: &Batch, playback: &Playback) -> Bytes {
        let frames = &batch.frames[..playback.admitted()];
        let size = frames.iter().map(|frame| frame.payload.len() + 32).sum::<usize>() + 1024;
        let mut out = BytesMut::with_capacity(size);
        let Some(first) = frames.first() else { return Bytes::new() };
        if self.breaks != playback.breaks() {
            self.breaks = playback.breaks();
            self.begun = KeyframeGate::default();
        }
        let has_new_choice = self.fit(&batch.setup);
        let setup = &batch.setup;
        let muxer = match &mut self.muxer {
            Some(muxer) => muxer,
            none => {
                self.silent = silent_tracks(batch);
                let muxer = none.insert(Muxer::new(playback.origin(), self.dialect));
                let promises = |kind| batch.newest_setup.promises(kind);
                muxer.write_header(promises(MediaKind::Audio), promises(MediaKind::Video), &mut out);
                muxer
            }
        };
        muxer.set_dialect(self.dialect);
        let is_heard = |id: TrackId| self.silent.iter().all(|(silent, _)| *silent != id);
        for part in setup.unseen(playback.seen().filter(|_| !has_new_choice)) {
            match part {
                PartContent::Metadata(values) => muxer.write_script(values, first.dts, &mut out),
                PartContent::Track(track) if is_heard(track.id) => {
                    muxer.write_track(track, first.dts, &mut out);
                }
                PartContent::Track(_) => {}
            }
        }
        for frame in frames {
            if is_heard(frame.track) && self.begun.admits(frame) {
                muxer.write_frame(frame, &mut out);
            }
        }
        out.freeze()
    }

    /// Chooses tracks for the setup in force. Returns whether others than before are chosen: they begin anew, and are
    /// to be told.
    fn fit(&mut self, setup: &Arc<DecoderSetup>) -> bool {
        if self.fitted.as_ref().is_some_and(|fitted| Arc::ptr_eq(fitted, setup)) {
            return false;
        }
        self.silent.retain(|(id, since)| setup.since(*id) == Some(*since));
        // Such a viewer has named no codec that it lacks, so there is always something for it.
        let dialect = self.takes.fitted(setup.tracks()).unwrap_or(self.takes);
        let is_new = std::mem::replace(&mut self.dialect, dialect) != dialect && self.fitted.is_some();
        self.fitted = Some(Arc::clone(setup));
        if is_new {
            self.begun = KeyframeGate::default();
        }
        is_new
    }
}

/// The tracks that the log still holds at the place of this batch, and that have fallen silent since, each with when
/// it began.
fn silent_tracks(batch: &Batch) -> Vec<(TrackId, u64)> {
    let ids = batch.setup.tracks().map(|track| track.id);
    let silent = ids.filter(|id| !batch.newest_setup.promises(id.kind));
    silent.filter_map(|id| Some((id, batch.setup.since(id)?))).collect()
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
mod tests;
