//! A publisher of a made stream: pictures and sound of an even bitrate, each sent when it is due.

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
/// Nanoseconds of a frame of sound.
const SOUND_STEP: i64 = 1024 * 1_000_000_000 / 44_100;

/// A stream that is being published.
#[derive(Debug)]
pub(super) struct Feed {
    stop: oneshot::Sender<()>,
    hold: watch::Sender<Duration>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Feed {
    /// Publishes at `url` until stopped.
    pub(super) async fn start(url: String, kbps: u32) -> anyhow::Result<Self> {
        let (mut connection, parsed) = dial(&url, &Trust::default()).await?;
        let stream = begin(&mut connection, &parsed).await.context("nothing can be published there")?;
        let (stop, stopped) = oneshot::channel();
        let (hold, held) = watch::channel(Duration::ZERO);
        let task = tokio::spawn(async move {
            tokio::select! {
                sent = send(&mut connection, stream, kbps, held) => sent?,
                _ = stopped => {}
            }
            // Nobody is to wait for its return.
            connection.session().delete_stream(stream);
            Ok(connection.shutdown().await?)
        });
        Ok(Self { stop, hold, task })
    }

    /// Sends nothing for so long, and then at once what has gathered.
    pub(super) fn hold(&self, time: Duration) {
        self.hold.send_replace(time);
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

async fn send(
    connection: &mut Connection<Line>,
    stream: MessageStreamId,
    kbps: u32,
    mut held: watch::Receiver<Duration>,
) -> anyhow::Result<()> {
    let tracks = [
        Track::new(TrackId::VIDEO, Codec::H264, Bytes::from_static(CONFIGURATION)),
        Track::new(TrackId::AUDIO, Codec::Aac, Bytes::from_static(SOUND)),
    ];
    for track in &tracks {
        for body in config_bodies(track, &Dialect::PLAIN) {
            connection.session().send_media(stream, track.id.kind, 0, &[body])?;
        }
    }
    let began = Instant::now();
    let (key_size, size) = sizes(kbps);
    let (mut picture, mut sound) = (0, 0_i64);
    loop {
        let (picture_at, sound_at) = (picture * 1_000_000_000 / RATE, sound * SOUND_STEP);
        let is_sound = sound_at < i64::try_from(picture_at).unwrap_or(i64::MAX);
        let at = if is_sound { sound_at } else { i64::try_from(picture_at).unwrap_or(i64::MAX) };
        sleep_until(began + Duration::from_nanos(u64::try_from(at).unwrap_or(0))).await;
        if held.has_changed().unwrap_or(false) {
            let time = *held.borrow_and_update();
            sleep(time).await;
        }
        let frame = if is_sound {
            sound += 1;
            frame(TrackId::AUDIO, at, true, Bytes::from_static(&[0x21; SOUND_BYTES]))
        } else {
            let (key, stamp) = (picture % GROUP == 0, Stamp { number: picture, sent: now() });
            picture += 1;
            frame(TrackId::VIDEO, at, key, stamp.picture(key, if key { key_size } else { size }))
        };
        let Some(head) = frame_head(&frame, &Dialect::PLAIN) else { continue };
        let head = Bytes::copy_from_slice(head.as_slice());
        let time = wire_time(frame.dts);
        connection.session().send_media(stream, frame.track.kind, time, &[head, frame.payload])?;
        connection.flush().await?;
        while connection.poll_event()?.is_some() {}
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
