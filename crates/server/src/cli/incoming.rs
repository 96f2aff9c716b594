//! What `play` and `probe` read: a live stream over RTMP or HTTP-FLV, or a file, as the same items.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::flv::{Demuxer, Intake, Items};
use headwater_rtmp::command::Capabilities;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, PlayOptions};
use headwater_rtmp::tokio::{Connection, Timeouts, connect_over};
use headwater_rtmp::url::{RtmpUrl, Scheme};
use http_body::Body as _;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;

use super::line::{Line, Trust};
use crate::vod::{Item, Reader};

/// A tag's body over HTTP, at most.
const TAG_BYTES_MAX: u32 = 16 << 20;
/// The start of the data message that lets Flash's programs look at the samples.
const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess";
/// How long an HTTP server may take to accept and to answer.
const HTTP_WAIT_MAX: Duration = Duration::from_secs(70);

/// Where items come from.
pub(super) enum Incoming {
    /// An RTMP server.
    Rtmp(Box<RtmpIncoming>),
    /// An HTTP-FLV server.
    Http(Box<HttpIncoming>),
    /// A file.
    File(Box<Reader>),
}

/// A stream that is played over RTMP.
pub(super) struct RtmpIncoming {
    connection: Connection<Line>,
    intake: Intake,
    ready: VecDeque<Item>,
}

/// A stream that is played over HTTP-FLV.
pub(super) struct HttpIncoming {
    body: hyper::body::Incoming,
    demuxer: Demuxer,
}

impl Incoming {
    /// Opens a URL or a file.
    pub(super) async fn open(target: &str, options: PlayOptions, trust: &Trust) -> anyhow::Result<Self> {
        if target.starts_with("http://") || target.starts_with("https://") {
            return open_http(target, trust).await.map(|incoming| Self::Http(Box::new(incoming)));
        }
        if target.contains("://") {
            return open_rtmp(target, options, trust).await.map(|incoming| Self::Rtmp(Box::new(incoming)));
        }
        Ok(Self::File(Box::new(Reader::open(Path::new(target))?)))
    }

    /// The next item; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        match self {
            Self::Rtmp(incoming) => incoming.next().await,
            Self::Http(incoming) => incoming.next().await,
            Self::File(reader) => reader.next(),
        }
    }

    /// Whether items come as fast as they can be read.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// A connection that has been let in by the server.
pub(super) async fn dial(target: &str, trust: &Trust) -> anyhow::Result<(Connection<Line>, RtmpUrl)> {
    let url: RtmpUrl = target.parse()?;
    let mut nonce = fresh_nonce()?;
    // A login takes three connections, each with a nonce of its own.
    let fresh = || {
        nonce.0[0] = nonce.0[0].wrapping_add(1);
        nonce
    };
    let timeouts = Timeouts { read: HTTP_WAIT_MAX, ..Timeouts::default() };
    let capabilities = Capabilities { reconnect: false, ..Capabilities::FULL };
    let config = Arc::new(ClientConfig { capabilities, ..ClientConfig::default() });
    let reach = async |url: &RtmpUrl| reach(url, trust, timeouts.dial).await;
    let connection = connect_over(&config, url.clone(), fresh, timeouts, reach).await?;
    Ok((connection, url))
}

/// Fresh random bytes for a handshake.
pub(super) fn fresh_nonce() -> anyhow::Result<Nonce> {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(nonce)
}

/// A connection to where a URL leads, before anything is said.
pub(super) async fn reach(url: &RtmpUrl, trust: &Trust, wait_max: Duration) -> anyhow::Result<Line> {
    trust.reach(&url.host, url.port, url.scheme == Scheme::Rtmps, wait_max).await
}

/// Turns a server's verdict against us into an error; everything else passes.
pub(super) fn refuse(event: &ClientEvent) -> anyhow::Result<()> {
    match event {
        ClientEvent::Rejected { status, .. } => {
            bail!("the server refused: {} ({})", status.description, status.code)
        }
        ClientEvent::Closed => bail!("the server asked to close the connection"),
        _ => Ok(()),
    }
}

async fn open_rtmp(target: &str, options: PlayOptions, trust: &Trust) -> anyhow::Result<RtmpIncoming> {
    let (mut connection, url) = dial(target, trust).await?;
    connection.session().play(&url.stream, options)?;
    Ok(RtmpIncoming { connection, intake: Intake::new(), ready: VecDeque::new() })
}

impl RtmpIncoming {
    async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            match self.connection.next_event().await? {
                Some(ClientEvent::Media { kind, timestamp, body, .. }) => {
                    let items = match kind {
                        MediaKind::Audio => self.intake.push_audio(timestamp, body),
                        _ => self.intake.push_video(timestamp, body),
                    };
                    self.take(items?);
                }
                // A word to Flash, before anything of the stream.
                Some(ClientEvent::Data { payload, .. }) if payload.starts_with(SAMPLE_ACCESS) => {}
                Some(ClientEvent::Data { timestamp, payload, .. }) => {
                    let items = self.intake.push_data(timestamp, payload);
                    self.take(items);
                }
                Some(ClientEvent::EndOfStream { .. }) | None => return Ok(None),
                Some(event) => refuse(&event)?,
            }
        }
    }

    fn take(&mut self, items: Items) {
        self.ready.extend(items.map(Item::from));
    }
}

async fn open_http(target: &str, trust: &Trust) -> anyhow::Result<HttpIncoming> {
    let uri: Uri = target.parse().with_context(|| format!("{target} is no address"))?;
    let authority = uri.authority().with_context(|| format!("{target} names no host"))?;
    let with_tls = uri.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if with_tls { 443 } else { 80 });
    let host = authority.host().trim_matches(['[', ']']);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let opened = async {
        let line = trust.reach(host, port, with_tls, HTTP_WAIT_MAX).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(line)).await?;
        tokio::spawn(connection);
        let request = Request::get(path).header("Host", authority.as_str()).body(axum::body::Body::empty())?;
        anyhow::Ok(sender.send_request(request).await?)
    };
    let response = tokio::time::timeout(HTTP_WAIT_MAX, opened)
        .await
        .map_err(|_| anyhow::anyhow!("{target}: no answer within {} s", HTTP_WAIT_MAX.as_secs()))??;
    if !response.status().is_success() {
        bail!("{target}: the server answers {}", response.status());
    }
    Ok(HttpIncoming { body: response.into_body(), demuxer: Demuxer::new(TAG_BYTES_MAX) })
}

impl HttpIncoming {
    async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            if let Some(item) = self.demuxer.next_item()? {
                return Ok(Some(item.into()));
            }
            let frame =
                std::future::poll_fn(|context| std::pin::Pin::new(&mut self.body).poll_frame(context)).await;
            let Some(frame) = frame else { return Ok(None) };
            let bytes: Bytes = frame.context("the stream broke off")?.into_data().unwrap_or_default();
            self.demuxer.feed(&bytes);
        }
    }
}
