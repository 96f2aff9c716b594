//! A server in one file: publishers need a key, players get what they send from the next key frame on, and
//! everything stays in memory.
//!
//! ```text
//! cargo run -p headwater-rtmp --features tokio --example auth_server -- 127.0.0.1:1935 SECRET
//! ffmpeg -re -i film.mp4 -c copy -f flv 'rtmp://127.0.0.1/live/film?key=SECRET'
//! ffplay rtmp://127.0.0.1/live/film
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use headwater_media::MediaKind;
use headwater_media::flv::{TagBody, decode_audio, decode_video};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::PublishRejection;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::message::{Data, DataScope};
use headwater_rtmp::session::{Role, ServerConfig, ServerEvent, ServerSession};
use headwater_rtmp::tokio::Connection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};

type Failure = Box<dyn Error + Send + Sync>;
type Client = Connection<TcpStream, ServerSession>;

/// Messages that a player may be behind before it loses some.
const BACKLOG: usize = 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, key] = arguments.as_slice() else { return Err("usage: auth_server ADDRESS KEY".into()) };
    run(TcpListener::bind(address).await?, key.clone()).await
}

/// Serves until the listener fails.
pub async fn run(listener: TcpListener, key: String) -> Result<(), Failure> {
    let streams = Arc::new(Streams { key, live: Mutex::default() });
    loop {
        let (socket, address) = listener.accept().await?;
        let streams = Arc::clone(&streams);
        tokio::spawn(async move {
            if let Err(error) = serve(socket, &streams).await {
                eprintln!("{address}: {error}");
            }
        });
    }
}

/// One client, until it has said what it wants.
async fn serve(socket: TcpStream, streams: &Streams) -> Result<(), Failure> {
    let session = ServerSession::new(Arc::new(ServerConfig::default()), nonce(), Duration::ZERO);
    let mut client = Connection::accepted(socket, session);
    while let Some(event) = client.next_event().await? {
        match event {
            ServerEvent::Connect(request) => request.accept(client.session()),
            ServerEvent::Publish(request) => {
                if request.path.query.get("key") != Some(&*streams.key) {
                    request.reject(client.session(), PublishRejection::Denied, "The key is wrong.");
                    // Not every encoder leaves by itself.
                    return Ok(client.shutdown().await?);
                }
                let live = streams.open(&request.path.to_string());
                request.accept(client.session());
                return publish(client, &live).await;
            }
            ServerEvent::Play(request) => {
                let (stream, live) = (request.stream, streams.open(&request.path.to_string()));
                request.accept(client.session(), false);
                return play(client, stream, &live).await;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the publisher sends goes to whoever plays, until it stops.
async fn publish(mut client: Client, live: &Live) -> Result<(), Failure> {
    while let Some(event) = client.next_event().await? {
        match event {
            ServerEvent::Media { kind, timestamp, body, .. } => live.send(kind, timestamp, body),
            ServerEvent::Data { timestamp, payload, scope, .. } if scope != DataScope::Cleared => {
                live.send(MediaKind::Data, timestamp, payload);
            }
            ServerEvent::Stopped { role: Role::Publisher, .. } => break,
            _ => {}
        }
    }
    live.end();
    Ok(client.shutdown().await?)
}

/// What is sent goes to this player, first of all what a decoder must know.
async fn play(mut client: Client, stream: MessageStreamId, live: &Live) -> Result<(), Failure> {
    let (head, mut messages) = live.join();
    for Message { kind, timestamp, body } in head {
        client.session().send_media(stream, kind, timestamp, &[body])?;
    }
    let mut awaits_key_frame = true;
    loop {
        client.flush().await?;
        tokio::select! {
            message = messages.recv() => match message {
                Ok(Some(Message { kind, timestamp, body })) => {
                    awaits_key_frame &= !is_key_frame(kind, &body);
                    if kind != MediaKind::Video || is_configuration(kind, &body) || !awaits_key_frame {
                        client.session().send_media(stream, kind, timestamp, &[body])?;
                    }
                }
                // Too slow: pictures go on with the next that stands for itself.
                Err(RecvError::Lagged(_)) => awaits_key_frame = true,
                Ok(None) | Err(RecvError::Closed) => {
                    client.session().end_play(stream)?;
                    return Ok(client.shutdown().await?);
                }
            },
            is_there = client.readable() => {
                while let Some(event) = client.poll_event()? {
                    if matches!(event, ServerEvent::Stopped { .. }) {
                        return Ok(client.shutdown().await?);
                    }
                }
                if !is_there? {
                    return Ok(());
                }
            }
        }
    }
}

/// All streams by their names. A player may come before its publisher.
struct Streams {
    key: String,
    live: Mutex<HashMap<String, Arc<Live>>>,
}

impl Streams {
    fn open(&self, name: &str) -> Arc<Live> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|_, stream| Arc::strong_count(stream) > 1);
        Arc::clone(live.entry(name.to_owned()).or_default())
    }
}

/// One stream: the way to its players, and what a new one must know.
struct Live {
    players: broadcast::Sender<Option<Message>>,
    head: Mutex<Vec<Message>>,
}

#[derive(Clone)]
struct Message {
    kind: MediaKind,
    timestamp: u32,
    body: Bytes,
}

impl Default for Live {
    fn default() -> Self {
        Self { players: broadcast::channel(BACKLOG).0, head: Mutex::default() }
    }
}

impl Live {
    fn send(&self, kind: MediaKind, timestamp: u32, body: Bytes) {
        let message = Message { kind, timestamp, body };
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if is_configuration(kind, &message.body) {
            head.retain(|old| old.kind != kind);
            head.push(message.clone());
        }
        // Without players it goes nowhere.
        let _ = self.players.send(Some(message));
    }

    fn join(&self) -> (Vec<Message>, broadcast::Receiver<Option<Message>>) {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        (head.clone(), self.players.subscribe())
    }

    fn end(&self) {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let _ = self.players.send(None);
    }
}

/// What a decoder must know before the first frame: metadata, and the codecs' configurations.
fn is_configuration(kind: MediaKind, body: &Bytes) -> bool {
    match kind {
        MediaKind::Data => {
            Data { scope: DataScope::Passing, payload: body.clone() }.handler() == b"onMetaData"
        }
        _ => parts(kind, body).any(|part| matches!(part, TagBody::Config(_))),
    }
}

fn is_key_frame(kind: MediaKind, body: &Bytes) -> bool {
    let is_key = |part| matches!(part, TagBody::Frame(frame) if frame.key == Some(true));
    kind == MediaKind::Video && parts(kind, body).any(is_key)
}

/// What the body of a message holds; what cannot be read goes to the players as it is.
fn parts(kind: MediaKind, body: &Bytes) -> impl Iterator<Item = TagBody> {
    let parts = match kind {
        MediaKind::Audio => decode_audio(body.clone()),
        _ => decode_video(body.clone()),
    };
    parts.into_iter().flatten()
}

/// The library makes no randomness of its own.
fn nonce() -> Nonce {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0).expect("the system gives random bytes");
    nonce
}
