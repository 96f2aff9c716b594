//! Servers that say just what a test has written down, to one client: over RTMP, or over HTTP-FLV.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use headwater_media::amf::Object;
use headwater_rtmp::chunk::{self, CHUNK_SIZE_DEFAULT, RawMessage};
use headwater_rtmp::command::{Command, Status, code};
use headwater_rtmp::message::type_id;
use headwater_rtmp::{ChunkStreamId, MessageStreamId, Output};

use crate::flv_tags::Tag;

const CHUNK_SIZE: u32 = 60_000;
/// How long the client may take for its next word.
const PATIENCE: Duration = Duration::from_secs(20);

/// A door that a test has both sides of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Rtmp,
    HttpFlv,
}

/// A server for one client, which is sent these messages as fast as it takes them, and then the end; its address.
/// The kinds of messages are those of tags; over RTMP any other type may stand there too.
pub(crate) fn serve(door: Door, messages: Vec<Tag>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // The client may have left by itself; what it made of all this is what the test looks at.
        let _ = match door {
            Door::Rtmp => Server { socket, heard: Vec::new() }.play(&messages),
            Door::HttpFlv => send_flv(socket, &messages),
        };
    });
    match door {
        Door::Rtmp => format!("rtmp://{address}/live/scripted"),
        Door::HttpFlv => format!("http://{address}/live/scripted.flv"),
    }
}

/// The bytes of an FLV file with these tags.
pub(crate) fn flv(tags: &[Tag]) -> Vec<u8> {
    let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    for (kind, time, body) in tags {
        let [_, s2, s1, s0] = (body.len() as u32).to_be_bytes();
        let [t3, t2, t1, t0] = time.to_be_bytes();
        file.extend([*kind, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0]);
        file.extend(body);
        file.extend((body.len() as u32 + 11).to_be_bytes());
    }
    file
}

fn send_flv(mut socket: TcpStream, tags: &[Tag]) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = socket.read(&mut request)?;
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")?;
    socket.write_all(&flv(tags))
}

/// An RTMP server that listens for words, not for messages.
struct Server {
    socket: TcpStream,
    heard: Vec<u8>,
}

impl Server {
    fn play(mut self, messages: &[Tag]) -> std::io::Result<()> {
        let mut greeting = [0; 1537];
        self.socket.read_exact(&mut greeting)?;
        self.socket.write_all(&[&[3][..], &[0; 1536], &greeting[1..]].concat())?;
        self.socket.read_exact(&mut [0; 1536])?;
        self.hear(b"connect")?;
        self.say(0, type_id::SET_CHUNK_SIZE, 0, &CHUNK_SIZE.to_be_bytes(), CHUNK_SIZE_DEFAULT)?;
        let success = Object::new().with("code", code::CONNECT_SUCCESS);
        self.say_command(0, &Command::new("_result", 1.0).object(Object::new()).with(success))?;
        self.hear(b"createStream")?;
        self.say_command(0, &Command::new("_result", 2.0).with(1.0))?;
        self.hear(b"play")?;
        self.say_command(1, &Status::new(code::PLAY_START, "").to_command())?;
        for (kind, time, body) in messages {
            self.say(1, *kind, *time, body, CHUNK_SIZE)?;
        }
        self.say_command(1, &Status::new(code::PLAY_UNPUBLISH_NOTIFY, "").to_command())
    }

    /// Waits until the client has said it.
    fn hear(&mut self, word: &[u8]) -> std::io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self.heard.windows(word.len()).position(|window| window == word) {
                self.heard.drain(..at + word.len());
                return Ok(());
            }
            match self.socket.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => self.heard.extend_from_slice(&bytes[..count]),
            }
        }
    }

    fn say_command(&mut self, stream: u32, command: &Command) -> std::io::Result<()> {
        self.say(stream, type_id::COMMAND, 0, &command.encode(), CHUNK_SIZE)
    }

    fn say(
        &mut self,
        stream: u32,
        type_id: u8,
        timestamp: u32,
        payload: &[u8],
        chunk_size: u32,
    ) -> std::io::Result<()> {
        let message = RawMessage {
            chunk_stream: ChunkStreamId::COMMAND,
            stream: MessageStreamId(stream),
            timestamp,
            type_id,
            payload: Bytes::copy_from_slice(payload),
            at: 0,
        };
        let mut output = Output::default();
        chunk::encode(&mut output, &message, chunk_size);
        self.socket.write_all(&output.drain())
    }
}
