//! The floor that a server's fan-out is measured against: one publisher a stream, and a bare loop that writes the same
//! bytes to every player at the same moments, as RTMP, HTTP-FLV or WebSocket-FLV. No log, no cursors, no limits; not a
//! server for anyone.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use clap::Args;
use headwater_media::MediaKind;
use headwater_media::flv::{TagKind, file_header, previous_tag_size, tag_head};
use headwater_rtmp::Output;
use headwater_rtmp::chunk::{ChunkStreamId, MessageStreamId, RawMessage, encode};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ServerEvent, ServerSession};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The chunk size that sessions announce.
const CHUNK_SIZE: u32 = 60_000;
/// A request's head, at most.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Each peer has a thread until it plays.
const STACK_BYTES: usize = 256 << 10;

/// The bare loop that `bench` measures against; it is not a server.
#[derive(Args, Debug)]
pub(in super::super) struct Arguments {
    /// What has come within so many milliseconds leaves in one write; 0: each frame at once.
    #[arg(long, default_value_t = 0)]
    gather_ms: u64,
}

/// Streams by their paths, `app/name`.
type Stages = Mutex<HashMap<String, Arc<Mutex<Stage>>>>;

/// What the players of one stream share.
#[derive(Default)]
struct Stage {
    seats: [Seats; 3],
}

/// The players of one format: their sockets, what a new one gets first, and what has gathered for all of them.
#[derive(Default)]
struct Seats {
    players: Vec<TcpStream>,
    configurations: Vec<u8>,
    gathered: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Format {
    Rtmp,
    HttpFlv,
    WsFlv,
}

/// Serves until it is stopped.
pub(in super::super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let stages: Arc<Stages> = Arc::default();
    let gather = Duration::from_millis(arguments.gather_ms);
    if !gather.is_zero() {
        let stages = Arc::clone(&stages);
        thread::spawn(move || {
            loop {
                thread::sleep(gather);
                let all: Vec<_> = lock(&stages).values().map(Arc::clone).collect();
                all.iter().for_each(|stage| write_to_all(stage));
            }
        });
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    println!("Ready: rtmp://{address}/ http://{address}/");
    for socket in listener.incoming() {
        let (socket, stages) = (socket?, Arc::clone(&stages));
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            // A peer that breaks off ends its own thread and nothing else.
            let _ = meet(socket, &stages, gather.is_zero());
        })?;
    }
    Ok(())
}

/// RTMP begins with its version, HTTP with a letter.
fn meet(socket: TcpStream, stages: &Stages, at_once: bool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut first = [0];
    socket.peek(&mut first)?;
    match first {
        [b'G'] => seat_http(socket, stages),
        _ => converse(socket, stages, at_once),
    }
}

/// Answers one peer until it plays (then its socket goes to the stage) or, if it publishes, to its end.
fn converse(mut socket: TcpStream, stages: &Stages, at_once: bool) -> io::Result<()> {
    let mut session = ServerSession::new(Arc::default(), Nonce([7; 32]), Duration::ZERO);
    let mut input = BytesMut::new();
    let mut buffer = [0; 16 << 10];
    let mut publishes = None;
    loop {
        while let Some(event) = session.read(&mut input).map_err(io::Error::other)? {
            match event {
                ServerEvent::Connect(request) => request.accept(&mut session),
                ServerEvent::Publish(request) => {
                    publishes = Some(stage(stages, &request.path.to_string()));
                    request.accept(&mut session);
                }
                ServerEvent::Play(request) => {
                    let stage = stage(stages, &request.path.to_string());
                    request.accept(&mut session, false);
                    say(&mut socket, &mut session)?;
                    return take_seat(socket, &stage, Format::Rtmp);
                }
                ServerEvent::Media { kind, timestamp, body, .. } => {
                    let Some(stage) = &publishes else { continue };
                    pass_on(kind, timestamp, &body, stage);
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

/// Answers `GET /app/name.flv`, with a WebSocket if one is asked for.
fn seat_http(mut socket: TcpStream, stages: &Stages) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX && socket.read(&mut byte)? == 1 {
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let name = path.trim_start_matches('/').trim_end_matches(".flv");
    let stage = stage(stages, name);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let (answer, format) = match key {
        Some(key) => {
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            (answer, Format::WsFlv)
        }
        None => {
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\n\r\n";
            (answer.to_owned(), Format::HttpFlv)
        }
    };
    socket.write_all(answer.as_bytes())?;
    take_seat(socket, &stage, format)
}

fn stage(stages: &Stages, name: &str) -> Arc<Mutex<Stage>> {
    Arc::clone(lock(stages).entry(name.to_owned()).or_default())
}

fn take_seat(mut socket: TcpStream, stage: &Mutex<Stage>, format: Format) -> io::Result<()> {
    let mut stage = lock(stage);
    let seats = &mut stage.seats[format as usize];
    let mut first = match format {
        Format::Rtmp => Vec::new(),
        _ => file_header(true, true).to_vec(),
    };
    first.extend_from_slice(&seats.configurations);
    socket.write_all(&framed(format, first))?;
    seats.players.push(socket);
    Ok(())
}

/// Makes a message's bytes once for each format; they are the same for every player.
fn pass_on(kind: MediaKind, timestamp: u32, body: &Bytes, stage: &Mutex<Stage>) {
    let is_configuration = body.get(1) == Some(&0);
    let (rtmp, tag) = (message(kind, timestamp, body), tag(kind, timestamp, body));
    let mut stage = lock(stage);
    for (seats, bytes) in stage.seats.iter_mut().zip([&rtmp, &tag, &tag]) {
        if is_configuration {
            seats.configurations.extend_from_slice(bytes);
        }
        if !seats.players.is_empty() {
            seats.gathered.extend_from_slice(bytes);
        }
    }
}

fn message(kind: MediaKind, timestamp: u32, body: &Bytes) -> Vec<u8> {
    let chunk_stream = if kind == MediaKind::Audio { ChunkStreamId::AUDIO } else { ChunkStreamId::VIDEO };
    let (stream, type_id, payload) = (MessageStreamId(1), TagKind::from(kind) as u8, body.clone());
    let message = RawMessage { chunk_stream, stream, timestamp, type_id, payload, at: 0 };
    let mut output = Output::default();
    encode(&mut output, &message, CHUNK_SIZE);
    output.copy_to_bytes(output.remaining()).to_vec()
}

fn tag(kind: MediaKind, timestamp: u32, body: &[u8]) -> Vec<u8> {
    let head = tag_head(TagKind::from(kind), body.len(), timestamp);
    [&head[..], body, &previous_tag_size(body.len())[..]].concat()
}

/// What stands around the bytes of one write.
fn framed(format: Format, bytes: Vec<u8>) -> Vec<u8> {
    match format {
        Format::Rtmp => bytes,
        Format::HttpFlv => [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat(),
        Format::WsFlv => {
            let length = bytes.len() as u64;
            let head = match length {
                0..126 => vec![0x82, length as u8],
                126..0x1_0000 => [&[0x82, 126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[0x82, 127][..], &length.to_be_bytes()].concat(),
            };
            [head, bytes].concat()
        }
    }
}

/// The bare loop. A player that breaks off is forgotten.
fn write_to_all(stage: &Mutex<Stage>) {
    let mut stage = lock(stage);
    for (seats, format) in stage.seats.iter_mut().zip([Format::Rtmp, Format::HttpFlv, Format::WsFlv]) {
        let bytes = std::mem::take(&mut seats.gathered);
        if !bytes.is_empty() {
            let bytes = framed(format, bytes);
            seats.players.retain_mut(|player| player.write_all(&bytes).is_ok());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_one_chunk_or_one_message_of_any_length() {
        assert_eq!(framed(Format::HttpFlv, b"0123456789".to_vec()), b"a\r\n0123456789\r\n");
        assert_eq!(framed(Format::Rtmp, b"abc".to_vec()), b"abc");
        for (length, head) in [
            (5, &[0x82, 5][..]),
            (300, &[0x82, 126, 1, 44]),
            (70_000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 17, 112]),
        ] {
            let message = framed(Format::WsFlv, vec![7; length]);
            assert!(message.starts_with(head) && message.len() == head.len() + length, "{length}");
        }
    }
}
