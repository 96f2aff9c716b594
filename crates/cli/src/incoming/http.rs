//! A live stream or a film over HTTP-FLV.

use std::pin::Pin;

use anyhow::{Context, bail};
use bytes::Bytes;
use headwater_media::flv::Demuxer;
use http_body::Body as _;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;

use crate::line::{Trust, WAIT_MAX};

/// A tag's body over HTTP, at most.
const TAG_BYTES_MAX: u32 = 16 << 20;

/// A stream that is played over HTTP-FLV.
pub(super) struct HttpIncoming {
    body: hyper::body::Incoming,
    pub(super) demuxer: Demuxer,
}

impl HttpIncoming {
    /// Asks a server for an address.
    pub(super) async fn open(target: &str, trust: &Trust) -> anyhow::Result<Self> {
        Ok(Self { body: get(target, trust).await?, demuxer: Demuxer::new(TAG_BYTES_MAX) })
    }

    /// Feeds what has come to the demuxer: false at the end of the stream.
    pub(super) async fn fill(&mut self) -> anyhow::Result<bool> {
        let frame = std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
        let frame = tokio::time::timeout(WAIT_MAX, frame)
            .await
            .map_err(|_| anyhow::anyhow!("nothing has come for {} s", WAIT_MAX.as_secs()))?;
        let Some(frame) = frame else { return Ok(self.demuxer.finish()) };
        let bytes: Bytes = frame.context("the stream broke off")?.into_data().unwrap_or_default();
        self.demuxer.feed(&bytes);
        Ok(true)
    }
}

/// Asks a server for an address: the body of its answer.
pub(crate) async fn get(target: &str, trust: &Trust) -> anyhow::Result<hyper::body::Incoming> {
    Ok(ask(target, None, trust).await?.into_body())
}

/// Asks a server for an address, or for a range of bytes of it.
pub(super) async fn ask(
    target: &str,
    range: Option<(u64, u64)>,
    trust: &Trust,
) -> anyhow::Result<Response<hyper::body::Incoming>> {
    let uri: Uri = target.parse().with_context(|| format!("{target} is no address"))?;
    let authority = uri.authority().with_context(|| format!("{target} names no host"))?;
    let with_tls = uri.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if with_tls { 443 } else { 80 });
    let host = authority.host().trim_matches(['[', ']']);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let opened = async {
        let line = trust.reach(host, port, with_tls, WAIT_MAX).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(line)).await?;
        tokio::spawn(connection);
        let mut request = Request::get(path).header("Host", authority.as_str());
        if let Some((offset, length)) = range {
            let last = offset.saturating_add(length).saturating_sub(1);
            request = request.header("Range", format!("bytes={offset}-{last}"));
        }
        let request = request.body(http_body_util::Empty::<Bytes>::new())?;
        anyhow::Ok(sender.send_request(request).await?)
    };
    let response = tokio::time::timeout(WAIT_MAX, opened)
        .await
        .map_err(|_| anyhow::anyhow!("{target}: no answer within {} s", WAIT_MAX.as_secs()))??;
    if !response.status().is_success() {
        bail!("{target}: the server answers {}", response.status());
    }
    if range.is_some() && response.status() != StatusCode::PARTIAL_CONTENT {
        bail!("{target}: the server does not answer with the range that was asked for");
    }
    Ok(response)
}
