//! What carries a connection's bytes: TCP as it is, TLS over it, a tunnel of HTTP requests, or the body of a response that
//! shares its connection with others.
//!
//! All are used in one way: wait until it is ready, then try; nothing waits in a call. Plain TCP goes straight
//! to the socket. TLS encrypts in whatever thread writes, and takes nothing more while the socket has not taken
//! what is encrypted already: so a slow peer's bytes wait in the log here too.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use bytes::{BufMut, BytesMut};
use parking_lot::Mutex;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use crate::net::listener::Stream;
use crate::net::pipe::PipeWriter;
use crate::net::tunnel::Tunnel;

/// Plain bytes that are read in one go, at most; what one TLS record holds.
const RECORD_BYTES_MAX: usize = 16 << 10;

/// Bytes that are read of a socket in one go, at most.
pub(crate) const READ_BYTES_MAX: usize = 16 << 10;

/// What carries a connection's bytes.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<Tls>),
    Tunnel(Tunnel),
    Pipe(PipeWriter),
}

/// TLS over TCP, its handshake done.
#[derive(Debug)]
pub(crate) struct Tls {
    socket: TcpStream,
    session: Mutex<ServerConnection>,
}

impl Transport {
    /// Takes an accepted stream. What came with the end of a TLS handshake is put into `input`.
    pub(crate) fn new(stream: Stream, input: &mut BytesMut) -> io::Result<Self> {
        match stream {
            Stream::Tcp(socket) => Ok(Self::Tcp(socket)),
            Stream::Tls(stream) => {
                let (socket, session) = stream.into_inner();
                let tls = Tls { socket, session: Mutex::new(session) };
                drain(&mut tls.session.lock(), input)?;
                Ok(Self::Tls(Box::new(tls)))
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Bounds what the kernel holds unsent. A socket that refuses is still served.
    pub(crate) fn bound_send_buffer(&self, bytes: usize) {
        if let (Some(socket), 1..) = (self.socket(), bytes) {
            let _ = SockRef::from(socket).set_send_buffer_size(bytes);
        }
    }

    /// Waits until a read or a write is worth trying.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(socket) => socket.ready(interest).await,
            Self::Tls(tls) => tls.socket.ready(interest).await,
            Self::Tunnel(tunnel) => tunnel.ready(interest).await,
            Self::Pipe(pipe) => pipe.ready(interest).await,
        }
    }

    /// Appends what there is to `input`, of a socket `bytes_max` at most: how much; 0 at the end.
    pub(crate) fn try_read(&self, input: &mut BytesMut, bytes_max: usize) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => receive(socket, input, bytes_max),
            Self::Tls(tls) => tls.try_read(input),
            Self::Tunnel(tunnel) => tunnel.try_read(input),
            Self::Pipe(pipe) => pipe.try_read(),
        }
    }

    /// Writes as much of the slices as is taken now.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Self::Tcp(socket), [piece]) => send(socket, piece),
            (Self::Tcp(socket), _) => socket.try_write_vectored(slices),
            (Self::Tls(tls), _) => tls.try_write(slices),
            (Self::Tunnel(tunnel), _) => tunnel.try_write(slices),
            (Self::Pipe(pipe), _) => pipe.try_write(slices),
        }
    }

    /// Sends on what was taken and is still held here: an error of the kind `WouldBlock` while there is some.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match self {
            Self::Tls(tls) => flush(&tls.socket, &mut tls.session.lock()),
            Self::Tcp(_) | Self::Tunnel(_) | Self::Pipe(_) => Ok(()),
        }
    }

    /// Closes the sending half: the peer reads what was written, and then the end.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            let mut session = tls.session.lock();
            session.send_close_notify();
            // A peer that takes no farewell is cut off.
            let _ = flush(&tls.socket, &mut session);
        }
        match self {
            Self::Tcp(socket) => SockRef::from(socket).shutdown(Shutdown::Write),
            Self::Tls(tls) => SockRef::from(&tls.socket).shutdown(Shutdown::Write),
            Self::Tunnel(tunnel) => {
                tunnel.shut_down();
                Ok(())
            }
            Self::Pipe(pipe) => {
                pipe.shut_down();
                Ok(())
            }
        }
    }

    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(socket) => Some(socket),
            Self::Tls(tls) => Some(&tls.socket),
            Self::Tunnel(_) | Self::Pipe(_) => None,
        }
    }
}

impl Tls {
    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        let mut session = self.session.lock();
        loop {
            let count = session.read_tls(&mut Raw(&self.socket))?;
            let state = session.process_new_packets().map_err(|error| {
                let _ = flush(&self.socket, &mut session);
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            let taken = drain(&mut session, input)?;
            if taken > 0 || count == 0 || state.peer_has_closed() {
                return Ok(taken);
            }
        }
    }

    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.session.lock();
        flush(&self.socket, &mut session)?;
        let mut taken = 0;
        for mut piece in slices.iter().map(|slice| &**slice) {
            while !piece.is_empty() {
                let count = session.writer().write(piece)?;
                taken += count;
                piece = &piece[count..];
                match flush(&self.socket, &mut session) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(taken)
    }
}

/// Appends what a socket has. A read that leaves room has emptied it, and the next wait is for more: without that, each
/// message would cost a second read, which finds nothing.
fn receive(socket: &TcpStream, input: &mut BytesMut, bytes_max: usize) -> io::Result<usize> {
    ROOM.with_borrow_mut(|room| {
        let room = &mut room[..bytes_max.min(READ_BYTES_MAX)];
        let mut received = None;
        let tried = socket.try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(socket)).read(room)?;
            received = Some(count);
            if (1..room.len()).contains(&count) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        let Some(count) = received else { return tried.map(|()| 0) };
        input.extend_from_slice(&room[..count]);
        Ok(count)
    })
}

/// Writes one piece by the shorter way through the kernel, `send` and not `writev`, and without a look at what tokio
/// knows of the socket: that lies elsewhere in memory, and the socket knows better. A full one is asked again by tokio,
/// which waits for it then. Of a peer that has gone it is told by an error, for Rust's programs ignore SIGPIPE.
fn send(socket: &TcpStream, piece: &[u8]) -> io::Result<usize> {
    match SockRef::from(socket).send(piece) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.try_write(piece),
        sent => sent,
    }
}

thread_local! {
    /// Where the connections of a thread read to. What has come is copied from there, so that no connection keeps room for
    /// more.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into());
}

/// Moves the plain bytes that the session holds to `input`.
fn drain(session: &mut ServerConnection, input: &mut BytesMut) -> io::Result<usize> {
    let before = input.len();
    loop {
        let at = input.len();
        input.put_bytes(0, RECORD_BYTES_MAX);
        let count = match session.reader().read(&mut input[at..]) {
            Ok(count) => count,
            // A peer that hangs up without saying so inside TLS has hung up all the same.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::UnexpectedEof) =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        input.truncate(at + count);
        if count == 0 {
            return Ok(input.len() - before);
        }
    }
}

fn flush(socket: &TcpStream, session: &mut ServerConnection) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(&mut Raw(socket))?;
    }
    Ok(())
}

/// A socket as rustls wants it.
struct Raw<'a>(&'a TcpStream);

impl Read for Raw<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// How long it is waited for what must not come.
    const MOMENT: Duration = Duration::from_millis(50);

    /// A connection's two ends, the accepted one first.
    pub(in crate::fanout) async fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (peer, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (accepted.unwrap().0, peer.unwrap())
    }

    async fn pair() -> (Transport, TcpStream) {
        let (accepted, peer) = sockets().await;
        (Transport::Tcp(accepted), peer)
    }

    #[tokio::test]
    async fn a_read_that_leaves_room_is_the_last_until_more_comes() {
        let (transport, mut peer) = pair().await;
        let mut input = BytesMut::new();
        for round in 1..4 {
            peer.write_all(b"abc").await.unwrap();
            transport.ready(Interest::READABLE).await.unwrap();
            assert_eq!(transport.try_read(&mut input, READ_BYTES_MAX).unwrap(), 3);
            assert_eq!(input.len(), 3 * round);
            let more = timeout(MOMENT, transport.ready(Interest::READABLE)).await;
            assert!(more.is_err(), "nothing wakes a connection that has read all there is");
            assert_eq!(
                transport.try_read(&mut input, READ_BYTES_MAX).unwrap_err().kind(),
                io::ErrorKind::WouldBlock
            );
        }
        drop(peer);
        transport.ready(Interest::READABLE).await.unwrap();
        assert_eq!(transport.try_read(&mut input, READ_BYTES_MAX).unwrap(), 0, "the end");
    }

    #[tokio::test]
    async fn what_is_longer_than_the_room_comes_whole() {
        let (transport, mut peer) = pair().await;
        let sent: Vec<u8> = (0..READ_BYTES_MAX * 5 + 1).map(|at| (at / 7) as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move { peer.write_all(&sent).await });
        let mut input = BytesMut::new();
        loop {
            transport.ready(Interest::READABLE).await.unwrap();
            match transport.try_read(&mut input, READ_BYTES_MAX) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        writing.await.unwrap().unwrap();
        assert!(input == expected);
    }

    #[tokio::test]
    async fn a_full_socket_is_waited_for() {
        let (transport, peer) = pair().await;
        let piece = vec![7; 64 << 10];
        let mut written = 0;
        // The peer's system may still be taking what lies in ours.
        while timeout(MOMENT, transport.ready(Interest::WRITABLE)).await.is_ok() {
            while let Ok(count) = transport.try_write(&[IoSlice::new(&piece)]) {
                written += count;
            }
        }
        let mut read = 0;
        let mut room = vec![0; 64 << 10];
        while read < written {
            peer.readable().await.unwrap();
            read += peer.try_read(&mut room).unwrap_or(0);
        }
        timeout(Duration::from_secs(10), transport.ready(Interest::WRITABLE)).await.unwrap().unwrap();
        assert_eq!(transport.try_write(&[IoSlice::new(b"x")]).unwrap(), 1);
    }
}
