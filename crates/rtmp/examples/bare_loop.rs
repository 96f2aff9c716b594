//! The floor that a server's fan-out is measured against: one publisher, and a bare loop that writes the
//! same bytes to every player at the same moments. No log, no cursors, no limits; not a server for anyone.
//!
//! `bare_loop [ADDRESS] [GATHER_MS]`: with a gathering time, what has come within it leaves in one write.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::MediaKind;
use headwater_rtmp::Output;
use headwater_rtmp::chunk::{ChunkStreamId, MessageStreamId, RawMessage, encode};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ServerEvent, ServerSession};

/// What the players share: their sockets, the configurations that a new one gets first, and what has
/// gathered for all of them.
#[derive(Default)]
struct Stage {
    players: Vec<TcpStream>,
    configurations: Vec<Bytes>,
    gathered: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let gather_ms = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let stage = Arc::new(Mutex::new(Stage::default()));
    let gather = Duration::from_millis(gather_ms);
    if !gather.is_zero() {
        let stage = Arc::clone(&stage);
        thread::spawn(move || {
            loop {
                thread::sleep(gather);
                write_to_all(&stage);
            }
        });
    }
    for socket in TcpListener::bind(address)?.incoming() {
        let (socket, stage) = (socket?, Arc::clone(&stage));
        thread::Builder::new().stack_size(128 << 10).spawn(move || {
            // A peer that breaks off ends its own thread and nothing else.
            let _ = converse(socket, &stage, gather.is_zero());
        })?;
    }
    Ok(())
}

/// Answers one peer until it plays (then its socket goes to the stage) or, if it publishes, to its end.
fn converse(mut socket: TcpStream, stage: &Mutex<Stage>, at_once: bool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut session = ServerSession::new(Arc::default(), Nonce([7; 32]), Duration::ZERO);
    let mut input = BytesMut::new();
    let mut buffer = [0; 16 << 10];
    loop {
        while let Some(event) = session.read(&mut input).map_err(io::Error::other)? {
            match event {
                ServerEvent::Connect(request) => request.accept(&mut session),
                ServerEvent::Publish(request) => request.accept(&mut session),
                ServerEvent::Play(request) => {
                    request.accept(&mut session, false);
                    say(&mut socket, &mut session)?;
                    return take_seat(socket, stage);
                }
                ServerEvent::Media { kind, timestamp, body, .. } => {
                    pass_on(kind, timestamp, body, stage);
                    if at_once {
                        write_to_all(stage);
                    }
                }
                _ => {}
            }
        }
        say(&mut socket, &mut session)?;
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            count => input.extend_from_slice(&buffer[..count]),
        }
    }
}

fn say(socket: &mut TcpStream, session: &mut ServerSession) -> io::Result<()> {
    let output = session.output();
    socket.write_all(&output.copy_to_bytes(output.remaining()))
}

fn take_seat(mut socket: TcpStream, stage: &Mutex<Stage>) -> io::Result<()> {
    let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
    for configuration in &stage.configurations {
        socket.write_all(configuration)?;
    }
    stage.players.push(socket);
    Ok(())
}

/// Makes a message's bytes once; they are the same for every player.
fn pass_on(kind: MediaKind, timestamp: u32, body: Bytes, stage: &Mutex<Stage>) {
    let (chunk_stream, type_id) = match kind {
        MediaKind::Audio => (ChunkStreamId::AUDIO, 8),
        _ => (ChunkStreamId::VIDEO, 9),
    };
    let is_configuration = body.get(1) == Some(&0);
    let stream = MessageStreamId(1);
    let message = RawMessage { chunk_stream, stream, timestamp, type_id, payload: body, at: 0 };
    let mut output = Output::default();
    encode(&mut output, &message, 60_000);
    let bytes = output.copy_to_bytes(output.remaining());
    let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
    if is_configuration {
        stage.configurations.push(bytes.clone());
    }
    stage.gathered.extend_from_slice(&bytes);
}

/// The bare loop. A player that breaks off is forgotten.
fn write_to_all(stage: &Mutex<Stage>) {
    let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = std::mem::take(&mut stage.gathered);
    if !bytes.is_empty() {
        stage.players.retain_mut(|player| player.write_all(&bytes).is_ok());
    }
}
