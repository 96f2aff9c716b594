//! How a client's connection begins: dialled, let in, and led through a login. Twin of `server.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Connection, ConnectionError};
use crate::MessageStreamId;
use crate::command::PublishKind;
use crate::handshake::Nonce;
use crate::session::{ClientConfig, ClientEvent, ClientSession, PlayOptions};
use crate::url::{RtmpUrl, Scheme};

/// How long a TCP connection may take. [`connect_over`] takes a dialler of its own.
pub const DIAL_MAX: Duration = Duration::from_secs(10);

/// Dials and waits until the server has let us in: [`Connection::publish`] or [`Connection::play`] comes
/// next. A login with the URL's user and password takes three connections, and is gone through here.
///
/// `nonce` gives fresh random bytes, once for each connection.
///
/// # Errors
/// What [`Connection::dial`] fails with, the conversation's errors, [`ConnectionError::Refused`] and
/// [`ConnectionError::Closed`].
pub async fn connect(
    config: &Arc<ClientConfig>,
    url: RtmpUrl,
    nonce: impl FnMut() -> Nonce,
) -> Result<Connection<TcpStream>, ConnectionError> {
    connect_over(config, url, nonce, async |url: &RtmpUrl| reach(url).await).await
}

/// As [`connect`], over streams that `dial` opens: TLS, a tunnel, a test's pipe.
///
/// # Errors
/// As [`connect`], and what `dial` fails with.
pub async fn connect_over<S: AsyncRead + AsyncWrite + Unpin, E: From<ConnectionError>>(
    config: &Arc<ClientConfig>,
    url: RtmpUrl,
    mut nonce: impl FnMut() -> Nonce,
    mut dial: impl AsyncFnMut(&RtmpUrl) -> Result<S, E>,
) -> Result<Connection<S>, E> {
    let mut url = url;
    'dial: loop {
        let stream = dial(&url).await?;
        let session = ClientSession::new(Arc::clone(config), url, nonce(), Duration::ZERO);
        let mut connection = Connection::new(stream, session);
        loop {
            match connection.next_event().await? {
                Some(ClientEvent::Connected { .. }) => return Ok(connection),
                Some(ClientEvent::Rejected { status, .. }) => {
                    return Err(ConnectionError::Refused(status).into());
                }
                Some(ClientEvent::LoginAsked { url: with_answer }) => {
                    url = with_answer;
                    continue 'dial;
                }
                Some(_) => {}
                None => return Err(ConnectionError::Closed(connection.peer).into()),
            }
        }
    }
}

impl Connection<TcpStream> {
    /// Opens a TCP connection to where the session wants to go.
    ///
    /// # Errors
    /// [`ConnectionError::NeedsTls`] for `rtmps`, else what the network says.
    pub async fn dial(session: ClientSession) -> Result<Self, ConnectionError> {
        let stream = reach(session.url()).await?;
        Ok(Self::new(stream, session))
    }
}

async fn reach(url: &RtmpUrl) -> Result<TcpStream, ConnectionError> {
    if url.scheme == Scheme::Rtmps {
        return Err(ConnectionError::NeedsTls(url.to_string()));
    }
    let what = "reach";
    let stream = match timeout(DIAL_MAX, TcpStream::connect((url.host.as_str(), url.port))).await {
        Ok(reached) => {
            reached.map_err(|source| ConnectionError::Io { what, address: address(url), source })?
        }
        Err(_) => {
            return Err(ConnectionError::TimedOut { what, address: address(url), waited: DIAL_MAX });
        }
    };
    // Media comes in whole messages already; waiting for more only adds delay.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A client over a stream that is already open.
    #[must_use]
    pub fn new(stream: S, session: ClientSession) -> Self {
        let peer = address(session.url());
        Self::over(stream, session, peer)
    }

    /// Publishes `name` ([`ClientSession::publish`]) and waits for the verdict. What else the server says
    /// until then is not told.
    ///
    /// # Errors
    /// [`ConnectionError::Refused`], [`ConnectionError::Closed`], the conversation's, the stream's.
    pub async fn publish(
        &mut self,
        name: &str,
        kind: PublishKind,
    ) -> Result<MessageStreamId, ConnectionError> {
        self.session().publish(name, kind)?;
        self.verdict(|event| match event {
            ClientEvent::PublishStarted { stream } => Some(stream),
            _ => None,
        })
        .await
    }

    /// Plays `name` ([`ClientSession::play`]) and waits for the verdict. What else the server says until
    /// then is not told.
    ///
    /// # Errors
    /// As [`Connection::publish`].
    pub async fn play(
        &mut self,
        name: &str,
        options: PlayOptions,
    ) -> Result<MessageStreamId, ConnectionError> {
        self.session().play(name, options)?;
        self.verdict(|event| match event {
            ClientEvent::PlayStarted { stream } => Some(stream),
            _ => None,
        })
        .await
    }

    /// Listens, for as long as the server lets us publish: for the `select!` of a publisher, who hears
    /// little and must notice that it is thrown out. May be cancelled.
    pub async fn thrown_out(&mut self) -> ConnectionError {
        loop {
            match self.listen().await {
                Ok(()) => {}
                Err(error) => return error,
            }
        }
    }

    async fn listen(&mut self) -> Result<(), ConnectionError> {
        let is_there = self.readable().await?;
        while let Some(event) = self.poll_event()? {
            if let ClientEvent::Rejected { status, .. } = event {
                return Err(ConnectionError::Refused(status));
            }
        }
        if !is_there || self.session.is_closed() {
            return Err(ConnectionError::Closed(self.peer.clone()));
        }
        self.flush().await
    }

    async fn verdict(
        &mut self,
        is_it: impl Fn(ClientEvent) -> Option<MessageStreamId>,
    ) -> Result<MessageStreamId, ConnectionError> {
        while let Some(event) = self.next_event().await? {
            if let ClientEvent::Rejected { status, .. } = event {
                return Err(ConnectionError::Refused(status));
            }
            if let Some(stream) = is_it(event) {
                return Ok(stream);
            }
        }
        Err(ConnectionError::Closed(self.peer.clone()))
    }
}

fn address(url: &RtmpUrl) -> String {
    format!("{}:{}", url.host, url.port)
}
