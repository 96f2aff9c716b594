//! What `play` and `probe` read: a live stream over RTMP or HTTP-FLV, or a file, as the same items.

use std::collections::VecDeque;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use headwater_media::flv::{Demuxer, Normalizer};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::command::Capabilities;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, PlayOptions, Timeouts};
use headwater_rtmp::tokio::{Connection, DIAL_MAX, connect_over};
use headwater_rtmp::url::{RtmpUrl, Scheme};
use http_body::Body as _;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;

use super::line::{Line, Trust};
use headwater_vod::{Item, Reader};

/// A tag's body over HTTP, at most.
const TAG_BYTES_MAX: u32 = 16 << 20;
/// The start of the data message that lets Flash's programs look at the samples.
const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess";
/// From the last frame of one connection to the first of the next: about one picture.
const CHANGE_STEP: Timestamp = Timestamp::from_ms(40);
/// A server that sends us to itself needs a moment.
pub(super) const REDIAL_AFTER: Duration = Duration::from_millis(200);
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
    options: PlayOptions,
    trust: Trust,
    normalizer: Normalizer,
    ready: VecDeque<Item>,
    /// Where the server sends us: the next connection, on its way to its first picture.
    next: Option<Beginning>,
    /// What is added to times, so that they go on over a change of connection; the last one given out.
    shift: Timestamp,
    last: Timestamp,
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
            let opened = open_rtmp(target.parse()?, options, trust.clone()).await;
            return opened.map(|incoming| Self::Rtmp(Box::new(incoming)));
        }
        Ok(Self::File(Box::new(Reader::open(Path::new(target))?)))
    }

    /// The next item; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        match self {
            Self::Rtmp(incoming) => incoming.next().await,
            Self::Http(incoming) => incoming.next().await,
            Self::File(reader) => reader.next_item(),
        }
    }

    /// Whether items come as fast as they can be read.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// An address as it is shown to people, without the publish key.
pub(super) fn shown(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let pairs = query.split('&').map(|pair| if pair.starts_with("key=") { "key=…" } else { pair });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// A connection that has been let in by the server.
pub(super) async fn dial(target: &str, trust: &Trust) -> anyhow::Result<(Connection<Line>, RtmpUrl)> {
    dial_url(target.parse()?, trust).await
}

/// As [`dial`].
pub(super) async fn dial_url(url: RtmpUrl, trust: &Trust) -> anyhow::Result<(Connection<Line>, RtmpUrl)> {
    let mut nonce = fresh_nonce()?;
    // A login takes three connections, each with a nonce of its own.
    let fresh = || {
        nonce.0[0] = nonce.0[0].wrapping_add(1);
        nonce
    };
    let timeouts = Timeouts { setup: HTTP_WAIT_MAX, read: HTTP_WAIT_MAX, ..Timeouts::default() };
    let config =
        Arc::new(ClientConfig { capabilities: Capabilities::FULL, timeouts, ..ClientConfig::default() });
    let reach = async |url: &RtmpUrl| reach(url, trust, DIAL_MAX).await;
    let connection = connect_over(&config, url.clone(), fresh, reach).await?;
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

async fn open_rtmp(url: RtmpUrl, options: PlayOptions, trust: Trust) -> anyhow::Result<RtmpIncoming> {
    let (mut connection, url) = dial_url(url, &trust).await?;
    connection.session().play(&url.stream, options)?;
    Ok(RtmpIncoming {
        connection,
        options,
        trust,
        normalizer: Normalizer::new(),
        ready: VecDeque::new(),
        next: None,
        shift: Timestamp::ZERO,
        last: Timestamp::ZERO,
    })
}

impl RtmpIncoming {
    async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(self.placed(item)));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Hears the server until there is something; false at the end of the stream.
    async fn fill(&mut self) -> anyhow::Result<bool> {
        let event = match &mut self.next {
            None => self.connection.next_event().await,
            Some(next) => tokio::select! {
                opened = next => return self.change_over(opened).map(|()| true),
                event = self.connection.next_event() => event,
            },
        };
        match event {
            // A word to Flash, before anything of the stream.
            Ok(Some(ClientEvent::Data { payload, .. })) if payload.starts_with(SAMPLE_ACCESS) => {}
            Ok(Some(ClientEvent::ReconnectRequested { url, status })) if self.next.is_none() => {
                tracing::info!(
                    "the server asks us to come again, to {}:{}: {}",
                    url.host,
                    url.port,
                    status.description
                );
                self.next = Some(begin_anew(url, self.options, self.trust.clone()));
            }
            // It goes, and where it sent us nothing has come yet.
            Ok(Some(ClientEvent::EndOfStream { .. } | ClientEvent::Closed) | None) | Err(_)
                if self.next.is_some() =>
            {
                if let Some(next) = self.next.take() {
                    self.change_over(next.await)?;
                }
            }
            Ok(Some(ClientEvent::EndOfStream { .. }) | None) => return Ok(false),
            Ok(Some(event)) => self.take(event)?,
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn take(&mut self, event: ClientEvent) -> anyhow::Result<()> {
        let items = match event {
            ClientEvent::Media { kind: MediaKind::Audio, timestamp, body, .. } => {
                self.normalizer.push_audio(timestamp, body)?
            }
            ClientEvent::Media { timestamp, body, .. } => self.normalizer.push_video(timestamp, body)?,
            ClientEvent::Data { timestamp, payload, .. } => self.normalizer.push_data(timestamp, payload),
            event => return refuse(&event),
        };
        self.ready.extend(items.map(Item::from));
        Ok(())
    }

    /// Goes on with another connection, whose first picture is there; its times follow ours.
    fn change_over(&mut self, opened: anyhow::Result<Self>) -> anyhow::Result<()> {
        let opened = opened.context("the server sent us elsewhere, and it does not go on there")?;
        let first = opened.ready.iter().find_map(|item| match item {
            Item::Frame(frame) => Some(frame.dts),
            _ => None,
        });
        let last = self.last;
        *self = opened;
        self.shift = last + CHANGE_STEP - first.unwrap_or(Timestamp::ZERO);
        self.last = last;
        Ok(())
    }

    fn placed(&mut self, item: Item) -> Item {
        let Item::Frame(mut frame) = item else { return item };
        frame.dts = frame.dts + self.shift;
        frame.pts = frame.pts + self.shift;
        self.last = self.last.max(frame.dts);
        Item::Frame(frame)
    }
}

/// A connection on its way to its first picture. Boxed: it is of the type of what awaits it.
type Beginning = Pin<Box<dyn Future<Output = anyhow::Result<RtmpIncoming>>>>;

/// Opens the next connection and waits for its first media.
fn begin_anew(url: RtmpUrl, options: PlayOptions, trust: Trust) -> Beginning {
    Box::pin(async move {
        tokio::time::sleep(REDIAL_AFTER).await;
        let mut incoming = open_rtmp(url, options, trust).await?;
        while !incoming.ready.iter().any(|item| matches!(item, Item::Frame(_))) {
            if !incoming.fill().await? {
                bail!("the stream has ended");
            }
        }
        Ok(incoming)
    })
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
        let request = Request::get(path)
            .header("Host", authority.as_str())
            .body(http_body_util::Empty::<Bytes>::new())?;
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
            let frame = std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            let Some(frame) = frame else { return Ok(None) };
            let bytes: Bytes = frame.context("the stream broke off")?.into_data().unwrap_or_default();
            self.demuxer.feed(&bytes);
        }
    }
}
