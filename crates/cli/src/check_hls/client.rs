//! One connection to a server, kept between requests, as a player keeps it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;

use crate::line::{Trust, WAIT_MAX};

/// Bytes of an answer, at most: a segment of a minute at 50 Mbit/s.
const ANSWER_BYTES_MAX: usize = 400 << 20;

/// What a server has answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// From the request to the last byte.
    pub(crate) took: Duration,
}

/// A connection that is opened when it is needed.
pub(crate) struct Client {
    trust: Trust,
    open: Option<(String, SendRequest<Empty<Bytes>>)>,
}

impl Client {
    pub(crate) fn new(trust: &Trust) -> Self {
        Self { trust: trust.clone(), open: None }
    }

    /// Asks for an address, or for a range (offset, length) of it.
    pub(crate) async fn get(&mut self, target: &str, range: Option<(u64, u64)>) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let asked = tokio::time::timeout(WAIT_MAX, self.ask(target, range));
        let (status, headers, body) = asked
            .await
            .map_err(|_| anyhow::anyhow!("{target}: no answer within {} s", WAIT_MAX.as_secs()))??;
        Ok(Answer { status, headers, body, took: began.elapsed() })
    }

    async fn ask(
        &mut self,
        target: &str,
        range: Option<(u64, u64)>,
    ) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
        let uri: Uri = target.parse().with_context(|| format!("{target} is no address"))?;
        let authority =
            uri.authority().with_context(|| format!("{target} names no host"))?.as_str().to_owned();
        let mut request =
            Request::get(uri.path_and_query().map_or("/", |path| path.as_str())).header("Host", &authority);
        if let Some((offset, length)) = range {
            let last = offset.saturating_add(length).saturating_sub(1);
            request = request.header("Range", format!("bytes={offset}-{last}"));
        }
        let request = request.body(Empty::new())?;
        let sender = self.sender(&uri, &authority).await?;
        let answer = sender.send_request(request).await;
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                self.open = None;
                return Err(error).with_context(|| format!("{target}: the connection broke off"));
            }
        };
        let (head, mut body) = response.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.with_context(|| format!("{target} broke off"))?;
            bytes.extend_from_slice(frame.data_ref().map_or(&[], |piece| piece));
            ensure!(bytes.len() <= ANSWER_BYTES_MAX, "{target} is larger than {ANSWER_BYTES_MAX} bytes");
        }
        Ok((head.status, head.headers, bytes.freeze()))
    }

    async fn sender(&mut self, uri: &Uri, authority: &str) -> anyhow::Result<&mut SendRequest<Empty<Bytes>>> {
        let mut kept = self.open.take().filter(|(host, sender)| host == authority && !sender.is_closed());
        if let Some((_, sender)) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let opened = match kept {
            Some((_, sender)) => sender,
            None => {
                let with_tls = uri.scheme_str() == Some("https");
                let port = uri.port_u16().unwrap_or(if with_tls { 443 } else { 80 });
                let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
                let line = self.trust.reach(host, port, with_tls, WAIT_MAX).await?;
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(line)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        Ok(&mut self.open.insert((authority.to_owned(), opened)).1)
    }
}

/// Where `place` leads that stands in what lies at `base`.
pub(crate) fn resolve(base: &str, place: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let path_at = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let (host, path) = base.split_at(path_at);
    if place.starts_with('/') {
        return format!("{host}{place}");
    }
    let path = path.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
    format!("{host}{folder}{place}")
}

/// The address with more parameters.
pub(crate) fn with_query(target: &str, query: &str) -> String {
    format!("{target}{}{query}", if target.contains('?') { '&' } else { '?' })
}
