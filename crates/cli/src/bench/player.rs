//! A player that looks at nothing but when pictures come, and which.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::StreamExt;
use headwater_media::MediaKind;
use headwater_media::flv::{TagKind, TagReader};
use headwater_rtmp::command::PlayStart;
use headwater_rtmp::session::{ClientEvent, PlayOptions};
use headwater_rtmp::tokio::Connection;
use http_body::Body as _;
use hyper::Uri;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::hls_player;
use super::stamp::{Stamp, now};
use super::tally::Tally;
use crate::check_hls::with_query;
use crate::incoming::{dial, http, refuse};
use crate::line::{Line, Trust, WAIT_MAX};

/// A tag's body, at most.
const TAG_BYTES_MAX: u32 = 16 << 20;

/// Where a player begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At what is live.
    Head,
    /// So many seconds behind the broadcast's begin.
    At(u32),
}

impl Place {
    /// A player has its first picture, so many nanoseconds after it began to connect.
    fn reached(self, tally: &Tally, nanos: u64) {
        match self {
            Self::Head => tally.joined(nanos),
            Self::At(_) => tally.found(nanos),
        }
    }
}

/// Watches `url` until it is stopped; `number` is its own.
pub(super) async fn watch(url: String, tally: Arc<Tally>, number: usize, place: Place) {
    let ended = match is_playlist(&url) {
        true => hls_player::watch(&url, &tally, number).await,
        false => follow(&url, &tally, number, place).await,
    };
    let Err(error) = ended else { return };
    tally.failed(&error);
}

/// Whether an address is one of HLS.
pub(super) fn is_playlist(url: &str) -> bool {
    url.split('?').next().is_some_and(|path| path.ends_with(".m3u8"))
}

/// Gets message after message.
async fn follow(url: &str, tally: &Tally, number: usize, place: Place) -> anyhow::Result<()> {
    let began = now();
    let mut messages = Messages::open(url, place).await?;
    let mut has_joined = false;
    let mut last = None;
    while let Some((kind, body)) = messages.next().await? {
        if kind == MediaKind::Video && !has_joined && is_keyframe(&body) {
            has_joined = true;
            place.reached(tally, now() - began);
        }
        let stamp = Stamp::read(&body).filter(|_| kind == MediaKind::Video);
        tally.message(number, body.len(), stamp, last);
        last = stamp.map(|stamp| stamp.number).or(last);
    }
    bail!("the stream has ended")
}

/// Joins, and leaves at the first picture.
pub(super) async fn join(url: String, tally: Arc<Tally>, place: Place) {
    let began = now();
    let joined = async {
        if is_playlist(&url) {
            return hls_player::join(&url).await;
        }
        let mut messages = Messages::open(&url, place).await?;
        while let Some((kind, body)) = messages.next().await? {
            if kind == MediaKind::Video && is_keyframe(&body) {
                return Ok(now() - began);
            }
        }
        bail!("the stream has ended before its first picture")
    };
    match joined.await {
        Ok(took) => place.reached(&tally, took),
        Err(error) => tally.failed(&error),
    }
}

/// Asks for the stream and reads nothing of it, until it is stopped.
pub(super) async fn stall(url: String, tally: Arc<Tally>) {
    match Messages::open(&url, Place::Head).await {
        Ok(_messages) => std::future::pending().await,
        Err(error) => tally.failed(&error),
    }
}

/// Whether a message of video is a picture to begin with, and no configuration.
fn is_keyframe(body: &[u8]) -> bool {
    match body {
        // Enhanced: coded frames with and without a composition time.
        [first, ..] if first & 0x80 != 0 => first & 0x70 == 0x10 && matches!(first & 0x0F, 1 | 3),
        [0x17, packet, ..] => *packet == 1,
        [first, ..] => first >> 4 == 1,
        [] => false,
    }
}

/// The messages of a stream, over whatever it comes.
enum Messages {
    Rtmp(Box<Connection<Line>>),
    Http(hyper::body::Incoming, TagReader),
    WebSocket(Box<WebSocketStream<Line>>, TagReader),
}

impl Messages {
    async fn open(url: &str, place: Place) -> anyhow::Result<Self> {
        if url.starts_with("rtmp://") || url.starts_with("rtmps://") {
            let (mut connection, parsed) = dial(url, &Trust::default()).await?;
            let mut options = PlayOptions::default();
            if let Place::At(seconds) = place {
                // 0 is what is live.
                options.start = PlayStart::Recorded { ms: (u64::from(seconds) * 1_000).max(1) };
            }
            connection.session().play(&parsed.stream, options)?;
            return Ok(Self::Rtmp(Box::new(connection)));
        }
        let url = &match place {
            Place::Head => url.to_owned(),
            Place::At(seconds) => with_query(url, &format!("start={seconds}")),
        };
        let (trust, reader) = (Trust::default(), TagReader::new(TAG_BYTES_MAX));
        if !url.starts_with("ws") {
            return Ok(Self::Http(http::get(url, &trust).await?, reader));
        }
        let uri: Uri = url.parse().with_context(|| format!("{url} is no address"))?;
        let host = uri.host().with_context(|| format!("{url} names no host"))?.trim_matches(['[', ']']);
        let with_tls = uri.scheme_str() == Some("wss");
        let port = uri.port_u16().unwrap_or(if with_tls { 443 } else { 80 });
        let line = trust.reach(host, port, with_tls, WAIT_MAX).await?;
        let (socket, _) = tokio_tungstenite::client_async(url, line).await?;
        Ok(Self::WebSocket(Box::new(socket), reader))
    }

    /// The next message with pictures or sound; none at the end.
    async fn next(&mut self) -> anyhow::Result<Option<(MediaKind, Bytes)>> {
        match self {
            Self::Rtmp(connection) => loop {
                match connection.next_event().await? {
                    Some(ClientEvent::Media { kind, body, .. }) => return Ok(Some((kind, body))),
                    Some(ClientEvent::EndOfStream { .. }) | None => return Ok(None),
                    Some(event) => refuse(&event)?,
                }
            },
            Self::Http(body, reader) => loop {
                if let Some(message) = message(reader)? {
                    return Ok(Some(message));
                }
                let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
                let Some(frame) = frame else { return Ok(None) };
                reader.feed(&frame?.into_data().unwrap_or_default());
            },
            Self::WebSocket(socket, reader) => loop {
                if let Some(message) = message(reader)? {
                    return Ok(Some(message));
                }
                match socket.next().await.transpose()? {
                    Some(Message::Binary(bytes)) => reader.feed(&bytes),
                    Some(Message::Close(_)) | None => return Ok(None),
                    Some(_) => {}
                }
            },
        }
    }
}

fn message(reader: &mut TagReader) -> anyhow::Result<Option<(MediaKind, Bytes)>> {
    while let Some(tag) = reader.next_tag()? {
        match tag.kind {
            TagKind::Video => return Ok(Some((MediaKind::Video, tag.body))),
            TagKind::Audio => return Ok(Some((MediaKind::Audio, tag.body))),
            _ => {}
        }
    }
    Ok(None)
}
