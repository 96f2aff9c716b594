//! What `play` and `probe` read: a live stream over RTMP or HTTP-FLV, or a file, as the same items.
//!
//! What cannot be used of it is left out, said once for each reason, and counted: one message does not end a
//! stream.

mod fetched;
pub(crate) mod http;
mod rtmp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use headwater_media::Timestamp;
use headwater_media::flv::LeftOut;
use headwater_rtmp::command::Capabilities;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, PlayOptions, Timeouts};
use headwater_rtmp::tokio::{Connection, DIAL_MAX, connect_over};
use headwater_rtmp::url::{RtmpUrl, Scheme};

use self::fetched::Fetched;
use self::http::HttpIncoming;
use self::rtmp::RtmpIncoming;
use super::line::{Line, Trust, WAIT_MAX};
use headwater_vod::{Item, Reader};

/// A server that sends us to itself needs a moment.
pub(super) const REDIAL_AFTER: Duration = Duration::from_millis(200);

/// Where items come from, and what of it could not be used.
pub(super) struct Incoming {
    source: Source,
    /// So many messages had been left out when people were last told why; and the reasons that they know.
    counted: u64,
    told: Vec<String>,
}

enum Source {
    /// An RTMP server.
    Rtmp(Box<RtmpIncoming>),
    /// An HTTP-FLV server.
    Http(Box<HttpIncoming>),
    /// A file.
    File(Box<Reader>),
    /// Files that were fetched, to be looked at: each has tracks of its own.
    Fetched(Fetched),
}

impl Incoming {
    /// Opens a URL or a file.
    pub(super) async fn open(target: &str, options: PlayOptions, trust: &Trust) -> anyhow::Result<Self> {
        let source = if target.starts_with("http://") || target.starts_with("https://") {
            Source::Http(Box::new(HttpIncoming::open(target, trust).await?))
        } else if target.contains("://") {
            Source::Rtmp(Box::new(RtmpIncoming::open(address(target)?, options, trust.clone()).await?))
        } else {
            Source::File(Box::new(Reader::open(Path::new(target))?))
        };
        Ok(Self { source, counted: 0, told: Vec::new() })
    }

    /// The same to look at it, and not to play it: a film over HTTP is fetched first, of HLS so much that it shows
    /// something for `duration`.
    pub(super) async fn look_at(
        target: &str,
        options: PlayOptions,
        trust: &Trust,
        duration: Duration,
    ) -> anyhow::Result<Self> {
        match Fetched::of(target, trust, duration).await? {
            Some(fetched) => Ok(Self { source: Source::Fetched(fetched), counted: 0, told: Vec::new() }),
            None => Self::open(target, options, trust).await,
        }
    }

    /// The next item; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            let item = match &mut self.source {
                Source::Rtmp(incoming) => incoming.pop(),
                Source::Http(incoming) => incoming.demuxer.next_item()?.map(Item::from),
                Source::File(reader) => return reader.next_item(),
                Source::Fetched(files) => return files.next_item(),
            };
            self.tell_left_out();
            if item.is_some() {
                return Ok(item);
            }
            let goes_on = match &mut self.source {
                Source::Rtmp(incoming) => incoming.fill().await?,
                Source::Http(incoming) => incoming.fill().await?,
                Source::File(_) | Source::Fetched(_) => false,
            };
            if !goes_on {
                return Ok(None);
            }
        }
    }

    /// Whether items come as fast as they can be read.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_) | Source::Fetched(_))
    }

    /// How long a file shows something, where that is known before it is read.
    pub(super) fn duration(&self) -> Option<Timestamp> {
        match &self.source {
            Source::File(reader) => reader.duration(),
            Source::Fetched(files) => files.duration(),
            Source::Rtmp(_) | Source::Http(_) => None,
        }
    }

    /// What could not be used so far, and why.
    pub(super) fn left_out(&self) -> LeftOut {
        match &self.source {
            Source::Rtmp(incoming) => incoming.left_out(),
            Source::Http(incoming) => incoming.demuxer.left_out(),
            Source::File(reader) => reader.left_out(),
            Source::Fetched(files) => files.left_out(),
        }
    }

    /// How many messages that were, of a stream; of a file it is told at the end.
    pub(super) fn left_out_count(&self) -> u64 {
        self.counted
    }

    /// Says a reason when it is met first: whoever watches is not to wonder for an hour where the sound is.
    fn tell_left_out(&mut self) {
        let count = match &self.source {
            Source::Rtmp(incoming) => incoming.left_out_count(),
            Source::Http(incoming) => incoming.demuxer.left_out_count(),
            Source::File(_) | Source::Fetched(_) => 0,
        };
        if count == self.counted {
            return;
        }
        self.counted = count;
        for (reason, _) in self.left_out().reasons() {
            if !self.told.iter().any(|known| known == reason) {
                tracing::warn!("left out: {reason}");
                self.told.push(reason.to_owned());
            }
        }
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
    dial_url(address(target)?, trust).await
}

/// The address of a stream. One that ends with the app is asked for: nobody means it so.
fn address(target: &str) -> anyhow::Result<RtmpUrl> {
    let url: RtmpUrl = target.parse()?;
    let name = url.stream.split('?').next().unwrap_or_default();
    if name.trim_matches('/').is_empty() {
        let here = url.tc_url();
        bail!(
            "{here} names no stream: an address looks like rtmp://HOST/APP/NAME, here for example {here}/NAME"
        );
    }
    Ok(url)
}

/// As [`dial`].
pub(super) async fn dial_url(url: RtmpUrl, trust: &Trust) -> anyhow::Result<(Connection<Line>, RtmpUrl)> {
    let mut nonce = fresh_nonce()?;
    // A login takes three connections, each with a nonce of its own.
    let fresh = || {
        nonce.0[0] = nonce.0[0].wrapping_add(1);
        nonce
    };
    let timeouts = Timeouts { setup: WAIT_MAX, read: WAIT_MAX, ..Timeouts::default() };
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
