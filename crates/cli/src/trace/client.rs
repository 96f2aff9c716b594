//! Plays or publishes as a client of our own, and explains what is said.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::line::Line;
use anyhow::bail;
use headwater_rtmp::command::Capabilities;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession, PlayOptions};
use headwater_rtmp::tokio::{Connection, DIAL_MAX};
use headwater_rtmp::url::RtmpUrl;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use super::options::Options;
use super::tap::Tap;
use super::tracer::Tracer;
use crate::incoming::{fresh_nonce, reach, refuse};
use crate::publish::Outgoing;
use headwater_vod::{Chain, Reader};

/// How long the server may take to let us play or publish.
const START_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long we listen to it after our last word.
const FAREWELL_WAIT_MAX: Duration = Duration::from_millis(200);

type Shared = Arc<Mutex<Option<Tracer>>>;
type Tapped = Connection<Tap<Line>, ClientSession>;

/// Plays, or publishes `file`, for `span`; whether the conversation works.
pub(super) async fn run(
    options: &Options,
    target: &str,
    file: Option<&Path>,
    span: Duration,
) -> anyhow::Result<bool> {
    // A file that cannot be read is told before anything is sent.
    let film = file.map(Reader::open).transpose()?;
    let url: RtmpUrl = target.parse()?;
    let act = if film.is_some() { "publishing to" } else { "playing" };
    let tracer: Shared = Arc::new(Mutex::new(Some(options.tracer(&about(&url, act), None)?)));
    let done = tokio::select! {
        done = run_client(options, &tracer, url, film, span) => done,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    let Some(tracer) = tracer.lock().take() else { bail!("the conversation is gone") };
    match (done, tracer.has_begun()) {
        // Nobody was reached: there is nothing to explain.
        (Err(error), false) => Err(error),
        (done, _) => {
            let is_good = tracer.finish()?.is_good(options.strict);
            if let Err(error) = done {
                eprintln!("headwater: our client stopped: {error:#}");
            }
            Ok(is_good)
        }
    }
}

async fn run_client(
    options: &Options,
    tracer: &Shared,
    url: RtmpUrl,
    film: Option<Reader>,
    span: Duration,
) -> anyhow::Result<()> {
    let Ok(dialled) = timeout(START_WAIT_MAX, dial(options, tracer, url)).await else {
        bail!("no answer within {} s", START_WAIT_MAX.as_secs())
    };
    match film {
        Some(film) => publish(dialled?, film, span).await,
        None => play(dialled?, span).await,
    }
}

/// Dials until the server lets us in. A login with the URL's user and password takes three connections; each is a
/// conversation, and the last one gets the verdict.
async fn dial(options: &Options, tracer: &Shared, mut url: RtmpUrl) -> anyhow::Result<Tapped> {
    // Whatever the server has, it may send: we only look at it.
    let capabilities = Capabilities { reconnect: false, ..Capabilities::FULL };
    let config = Arc::new(ClientConfig { capabilities, ..ClientConfig::default() });
    'dial: loop {
        let stream = Tap::new(reach(&url, &options.trust, DIAL_MAX).await?, Arc::clone(tracer));
        let session = ClientSession::new(Arc::clone(&config), url, fresh_nonce()?, Duration::ZERO);
        let mut connection = Connection::new(stream, session);
        loop {
            match connection.next_event().await? {
                Some(ClientEvent::Connected { .. }) => return Ok(connection),
                Some(ClientEvent::LoginAsked { url: with_answer }) => {
                    drop(connection);
                    let mut next = options.tracer(&about(&with_answer, "logging in to"), None)?;
                    next.remark("── the server asks for a login: another connection");
                    tracer.lock().replace(next);
                    url = with_answer;
                    continue 'dial;
                }
                Some(event) => refuse(&event)?,
                None => bail!("the server closed the connection before it let us in"),
            }
        }
    }
}

/// Whose conversation it is: nothing of the stream's name or the query, which may be a key.
fn about(url: &RtmpUrl, act: &str) -> String {
    let app = url.app.split('?').next().unwrap_or_default();
    format!("headwater trace, {act} {}:{}/{app}", url.host, url.port)
}

async fn play(mut connection: Tapped, span: Duration) -> anyhow::Result<()> {
    let name = connection.session().url().stream.clone();
    connection.session().play(&name, PlayOptions::default())?;
    let mut deadline = Instant::now() + START_WAIT_MAX;
    let mut playing = None;
    loop {
        let event = tokio::select! {
            event = connection.next_event() => event?,
            () = sleep_until(deadline) => break,
        };
        match event {
            Some(ClientEvent::PlayStarted { stream }) if playing.is_none() => {
                playing = Some(stream);
                deadline = Instant::now() + span;
            }
            Some(ClientEvent::Rejected { .. } | ClientEvent::EndOfStream { .. }) | None => break,
            Some(_) => {}
        }
    }
    if let Some(stream) = playing {
        connection.session().delete_stream(stream);
    }
    farewell(connection).await
}

async fn publish(mut connection: Tapped, film: Reader, span: Duration) -> anyhow::Result<()> {
    let url = connection.session().url().clone();
    let started = timeout(START_WAIT_MAX, Outgoing::start(connection, &url)).await;
    let Ok(started) = started else { bail!("no answer within {} s", START_WAIT_MAX.as_secs()) };
    let mut outgoing = started?;
    let mut film = Some(film);
    let mut chain = Chain::new(move || Ok(film.take()))?;
    // The end of the span is no failure.
    let sent = timeout(span, outgoing.send_all(&mut chain, 1.0, |_, _| {})).await.unwrap_or(Ok(()));
    farewell(outgoing.finish()).await?;
    sent
}

/// Says what is still to be said, hears the server out, and closes.
async fn farewell(mut connection: Tapped) -> anyhow::Result<()> {
    let deadline = Instant::now() + FAREWELL_WAIT_MAX;
    loop {
        tokio::select! {
            event = connection.next_event() => match event {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            },
            () = sleep_until(deadline) => break,
        }
    }
    connection.shutdown().await?;
    Ok(())
}
