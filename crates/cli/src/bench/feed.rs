//! A publisher of a made stream: pictures and sound of an even bitrate, each sent when it is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use headwater_media::flv::{Dialect, config_bodies, frame_head};
use headwater_media::{Codec, Frame, MediaKind, Timestamp, Track, TrackId};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::tokio::Connection;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::kept;
use super::stamp::{CONFIGURATION, Stamp, now};
use crate::incoming::dial;
use crate::line::{Line, Trust};
use crate::publish::{begin, wire_time};

/// Pictures in a second.
const RATE: u64 = 25;
/// Pictures from one keyframe to the next.
const GROUP: u64 = 50;
/// A keyframe is as large as so many other pictures.
const KEY_RATIO: u64 = 5;
/// AAC-LC, 44.1 kHz, stereo.
const SOUND: &[u8] = &[0x12, 0x10];
/// Bytes of a frame of sound: 64 kbit/s.
const SOUND_BYTES: usize = 186;
/// So much of the past is sent before it is waited for its last keyframe to be kept: the log has the newest seconds only, and
/// what has left it before is lost.
const AT_ONCE_SECONDS: u32 = 2;
/// Nanoseconds of a frame of sound.
const SOUND_STEP: i64 = 1024 * 1_000_000_000 / 44_100;

/// A stream that is being published.
#[derive(Debug)]
pub(super) struct Feed {
    stop: oneshot::Sender<()>,
    hold: watch::Sender<Duration>,
    /// Nanoseconds that the last frame was late.
    behind: Arc<AtomicU64>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// What is published of a stream before its time, as fast as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) seconds: u32,
    /// Where the API describes the stream.
    pub(super) description: String,
}

impl Feed {
    /// Publishes at `url` until stopped; it returns when all of the past is kept.
    pub(super) async fn start(url: String, kbps: u32, past: Option<Past>) -> anyhow::Result<Self> {
        let (mut connection, parsed) = dial(&url, &Trust::default()).await?;
        let stream = begin(&mut connection, &parsed).await.context("nothing can be published there")?;
        let (stop, stopped) = oneshot::channel();
        let (hold, held) = watch::channel(Duration::ZERO);
        let behind = Arc::default();
        let mut sending = Sending::begin(connection, stream, kbps)?;
        if let Some(past) = past {
            sending.past(&past).await.context("what is gone back in is not kept")?;
        }
        let late = Arc::clone(&behind);
        let task = tokio::spawn(async move {
            tokio::select! {
                sent = sending.live(held, &late) => sent?,
                _ = stopped => {}
            }
            // Nobody is to wait for its return.
            sending.connection.session().delete_stream(stream);
            Ok(sending.connection.shutdown().await?)
        });
        Ok(Self { stop, hold, behind, task })
    }

    /// Sends nothing for so long, and then at once what has gathered.
    pub(super) fn hold(&self, time: Duration) {
        self.hold.send_replace(time);
    }

    /// How late its last frame was: more than a moment where publishers need more processors than there are.
    pub(super) fn behind(&self) -> Duration {
        Duration::from_nanos(self.behind.load(Relaxed))
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        // It may have ended by itself.
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("a publisher has broken off: {error:#}"),
            Err(error) => tracing::warn!("a publisher has broken off: {error}"),
        }
    }
}

/// What a player gets of such a stream in a second: the bodies of its messages.
pub(super) fn bytes_per_second(kbps: u32) -> f64 {
    let sound = SOUND_BYTES as f64 * 1e9 / SOUND_STEP as f64;
    f64::from(kbps) * 125.0 + sound
}

/// Bytes of a keyframe and of another picture.
fn sizes(kbps: u32) -> (usize, usize) {
    let group = u64::from(kbps) * 125 * GROUP / RATE;
    let other = group / (GROUP - 1 + KEY_RATIO);
    ((other * KEY_RATIO) as usize, other as usize)
}

/// A stream on its way.
struct Sending {
    connection: Connection<Line>,
    stream: MessageStreamId,
    /// Of a keyframe and of another picture.
    sizes: (usize, usize),
    /// What comes next of each.
    picture: u64,
    sound: i64,
}

impl Sending {
    fn begin(mut connection: Connection<Line>, stream: MessageStreamId, kbps: u32) -> anyhow::Result<Self> {
        let tracks = [
            Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(CONFIGURATION)),
            Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(SOUND)),
        ];
        for track in &tracks {
            for body in config_bodies(track, &Dialect::PLAIN) {
                connection.session().send_media(stream, track.id.kind, 0, &[body])?;
            }
        }
        Ok(Self { connection, stream, sizes: sizes(kbps), picture: 0, sound: 0 })
    }

    /// Nanoseconds of the stream's time at which the next picture and the next sound are due.
    fn dues(&self) -> (i64, i64) {
        let picture = self.picture * 1_000_000_000 / RATE;
        (i64::try_from(picture).unwrap_or(i64::MAX), self.sound * SOUND_STEP)
    }

    fn due(&self) -> i64 {
        let (picture, sound) = self.dues();
        picture.min(sound)
    }

    async fn past(&mut self, past: &Past) -> anyhow::Result<()> {
        let mut seconds = 0;
        while seconds < past.seconds {
            seconds = past.seconds.min(seconds + AT_ONCE_SECONDS);
            while self.due() < i64::from(seconds) * 1_000_000_000 {
                self.put()?;
            }
            let last_key = self.picture.saturating_sub(1) / GROUP * GROUP;
            let last_key_ms = i64::try_from(last_key * 1_000 / RATE)?;
            self.flush().await?;
            kept::until(&past.description, last_key_ms).await?;
        }
        Ok(())
    }

    /// Sends each frame when it is due; `late` is how late the last one was, in nanoseconds.
    async fn live(&mut self, mut held: watch::Receiver<Duration>, late: &AtomicU64) -> anyhow::Result<()> {
        let (began, first) = (Instant::now(), self.due());
        loop {
            let due = began + Duration::from_nanos(u64::try_from(self.due() - first).unwrap_or(0));
            sleep_until(due).await;
            late.store(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
            if held.has_changed().unwrap_or(false) {
                let time = *held.borrow_and_update();
                sleep(time).await;
            }
            self.put()?;
            self.flush().await?;
        }
    }

    /// Puts the next frame in front of the socket.
    fn put(&mut self) -> anyhow::Result<()> {
        let (picture_at, sound_at) = self.dues();
        let frame = if sound_at < picture_at {
            self.sound += 1;
            frame(TrackId::AUDIO, sound_at, true, Bytes::from_static(&[0x21; SOUND_BYTES]))
        } else {
            let (key, stamp) =
                (self.picture.is_multiple_of(GROUP), Stamp { number: self.picture, sent: now() });
            self.picture += 1;
            let size = if key { self.sizes.0 } else { self.sizes.1 };
            frame(TrackId::VIDEO, picture_at, key, stamp.picture(key, size))
        };
        let Some(head) = frame_head(&frame, &Dialect::PLAIN) else { return Ok(()) };
        let head = Bytes::copy_from_slice(head.as_slice());
        let time = wire_time(frame.dts);
        let session = self.connection.session();
        session.send_media(self.stream, frame.track.kind, time, &[head, frame.payload])?;
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        self.connection.flush().await?;
        while self.connection.poll_event()?.is_some() {}
        Ok(())
    }
}

fn frame(track: TrackId, nanos: i64, key: bool, payload: Bytes) -> Frame {
    let codec = if track.kind == MediaKind::Video { Codec::H264 } else { Codec::Aac };
    let at = Timestamp::from_nanos(nanos);
    Frame { track, codec, dts: at, pts: at, key, payload }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_bitrate_that_was_asked_for() {
        for kbps in [50, 1_000, 50_000] {
            let (key, other) = sizes(kbps);
            let group = key + other * (GROUP as usize - 1);
            let wanted = kbps as usize * 125 * GROUP as usize / RATE as usize;
            assert!(
                group.abs_diff(wanted) <= GROUP as usize * KEY_RATIO as usize,
                "{kbps}: {group} of {wanted}"
            );
        }
    }
}
