//! RTMPT: an RTMP connection as the bodies of HTTP requests (`/open`, `/send`, `/idle`, `/close`).
//!
//! Here both doors meet that know nothing of each other: the HTTP door puts requests in and takes answers out, the
//! RTMP door holds the other end as it holds a socket. Bytes that wait in either direction are bounded, requests
//! that overtake each other are put in order, and a client that asks no more is gone.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{Interest, Ready};
use tokio::sync::{Notify, mpsc};

use super::peer::Peer;
use super::seats::{Addresses, Place};
use crate::live::Live;
use crate::uptime::Uptime;

/// Bytes that wait in one direction, at most.
const WAITING_BYTES_MAX: usize = 256 << 10;
/// A request may come so many places ahead of its turn: clients keep no more under way.
const AHEAD_MAX: u64 = 8;
/// How long a request waits for those before it: after that they are lost.
const TURN_MAX: Duration = Duration::from_secs(5);
/// A client that has asked for nothing for so long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long an answer waits for bytes: `/send` for the server's reply, `/idle` for the next frames.
const REPLY_WAIT: Duration = Duration::from_millis(25);
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// Empty answers before clients are told to ask half as often.
const EMPTY_STEP: u32 = 10;
/// How often that is halved at most: more seldom, and the first answer after a silence would come late.
const INTERVAL_DOUBLINGS_MAX: u32 = 5;

/// How many tunnels there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TunnelLimits {
    pub(crate) count_max: usize,
    /// From one address but this machine's; 0 bounds nothing. A tunnel outlives the connections that bring its requests, so
    /// that what bounds these does not bound it.
    pub(crate) per_address_max: usize,
}

/// All tunnels.
#[derive(Debug)]
pub(crate) struct Tunnels {
    open: Mutex<HashMap<String, Arc<Pipe>>>,
    addresses: Arc<Addresses>,
    limits: Live<TunnelLimits>,
    uptime: Uptime,
    arrivals: mpsc::Sender<Opened>,
}

/// A tunnel that a client has opened, for the RTMP door.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) tunnel: Tunnel,
    pub(crate) peer: Peer,
}

/// The RTMP door's end. Dropping it closes the tunnel.
#[derive(Debug)]
pub(crate) struct Tunnel(Arc<Pipe>);

#[derive(Debug)]
struct Pipe {
    state: Mutex<State>,
    /// Rung for the RTMP door: bytes have come, or were taken.
    inward: Notify,
    /// Rung for requests: it is another one's turn, or there is something to take.
    outward: Notify,
    /// Its place among those from its address.
    _place: Option<Place>,
}

#[derive(Debug)]
struct State {
    incoming: BytesMut,
    outgoing: BytesMut,
    /// The sequence number whose turn it is; none before the first request.
    turn: Option<u64>,
    heard: Duration,
    empty: u32,
    /// No more bytes come, or go.
    ended: bool,
    shut: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such tunnel; open one with POST /open/1")]
    Unknown,
    #[error("there are too many tunnels; try again later")]
    TooMany,
    #[error("there are too many tunnels from this address; close one first")]
    TooManyFromThere,
    #[error("the request is out of order")]
    OutOfOrder,
    #[error("the tunnel is full: the server has not taken what was sent before")]
    Full,
}

impl Tunnels {
    /// None yet; new ones are handed over through the receiver.
    pub(crate) fn new(limits: Live<TunnelLimits>, uptime: Uptime) -> (Self, mpsc::Receiver<Opened>) {
        let (arrivals, opened) = mpsc::channel(64);
        (Self { open: Mutex::default(), addresses: Arc::default(), limits, uptime, arrivals }, opened)
    }

    /// Opens a tunnel under this name, which nobody must be able to guess.
    pub(crate) async fn open(&self, name: String, peer: Peer) -> Result<(), Refusal> {
        let state = State {
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            turn: None,
            heard: self.uptime.now(),
            empty: 0,
            ended: false,
            shut: false,
        };
        let TunnelLimits { count_max, per_address_max } = *self.limits.get();
        let place = self.addresses.take(peer.address.ip(), per_address_max);
        let place = place.map_err(|()| Refusal::TooManyFromThere)?;
        let pipe = Arc::new(Pipe {
            state: Mutex::new(state),
            inward: Notify::new(),
            outward: Notify::new(),
            _place: place,
        });
        {
            let mut open = self.open.lock();
            if open.len() >= count_max {
                return Err(Refusal::TooMany);
            }
            open.insert(name, Arc::clone(&pipe));
        }
        let opened = Opened { tunnel: Tunnel(pipe), peer };
        self.arrivals.send(opened).await.map_err(|_| Refusal::TooMany)
    }

    /// Brings a request's bytes and takes what there is to answer: how lazily to ask again (1 is eager), and the
    /// bytes.
    pub(crate) async fn exchange(&self, name: &str, turn: u64, bytes: &[u8]) -> Result<(u8, Bytes), Refusal> {
        let pipe = self.open.lock().get(name).cloned().ok_or(Refusal::Unknown)?;
        pipe.state.lock().heard = self.uptime.now();
        let in_turn = tokio::time::timeout(TURN_MAX, pipe.await_turn(turn)).await;
        in_turn.map_err(|_| Refusal::OutOfOrder)??;
        let brought = tokio::time::timeout(TURN_MAX, pipe.bring(bytes)).await;
        if brought.is_err() {
            return Err(Refusal::Full);
        }
        pipe.pass_turn(turn);
        let wait = if bytes.is_empty() { IDLE_WAIT } else { REPLY_WAIT };
        let answer = pipe.take(wait).await;
        if pipe.is_over() {
            self.open.lock().remove(name);
        }
        Ok(answer)
    }

    /// The client leaves.
    pub(crate) fn close(&self, name: &str) -> Result<(), Refusal> {
        self.open.lock().remove(name).ok_or(Refusal::Unknown)?.end();
        Ok(())
    }

    /// Lets go of tunnels whose clients ask for nothing any more.
    pub(crate) fn sweep(&self) {
        let now = self.uptime.now();
        self.open.lock().retain(|_, pipe| {
            let silent = now.saturating_sub(pipe.state.lock().heard) >= SILENCE_MAX;
            if silent {
                pipe.end();
            }
            !silent
        });
    }
}

impl Pipe {
    /// Waits until it is this request's turn. The first one begins the count.
    async fn await_turn(&self, turn: u64) -> Result<(), Refusal> {
        loop {
            let rung = self.outward.notified();
            match *self.state.lock().turn.get_or_insert(turn) {
                now if now == turn => return Ok(()),
                now if turn < now || turn - now > AHEAD_MAX => return Err(Refusal::OutOfOrder),
                _ => {}
            }
            rung.await;
        }
    }

    fn pass_turn(&self, turn: u64) {
        self.state.lock().turn = Some(turn.wrapping_add(1));
        self.outward.notify_waiters();
    }

    /// Puts bytes in, as the RTMP door takes them out.
    async fn bring(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let rung = self.outward.notified();
            {
                let mut state = self.state.lock();
                if state.ended || state.shut {
                    return;
                }
                let count = bytes.len().min(WAITING_BYTES_MAX - state.incoming.len());
                state.incoming.extend_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
            }
            self.inward.notify_one();
            if !bytes.is_empty() {
                rung.await;
            }
        }
    }

    /// Takes what there is to send, waiting for it a little.
    async fn take(&self, wait: Duration) -> (u8, Bytes) {
        let something = async {
            loop {
                let rung = self.outward.notified();
                {
                    let state = self.state.lock();
                    if !state.outgoing.is_empty() || state.shut {
                        return;
                    }
                }
                rung.await;
            }
        };
        // Nothing to send is an answer too.
        let _ = tokio::time::timeout(wait, something).await;
        let mut state = self.state.lock();
        let bytes = state.outgoing.split().freeze();
        state.empty = if bytes.is_empty() { state.empty.saturating_add(1) } else { 0 };
        let interval = 1 << (state.empty / EMPTY_STEP).min(INTERVAL_DOUBLINGS_MAX);
        drop(state);
        self.inward.notify_one();
        (interval, bytes)
    }

    fn end(&self) {
        self.state.lock().ended = true;
        self.inward.notify_one();
    }

    /// Whether the server has said its last word, and the client has it.
    fn is_over(&self) -> bool {
        let state = self.state.lock();
        state.shut && state.outgoing.is_empty()
    }
}

impl Tunnel {
    /// As a socket's.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        loop {
            let rung = self.0.inward.notified();
            let ready = {
                let state = self.0.state.lock();
                let readable = interest.is_readable() && (!state.incoming.is_empty() || state.ended);
                let writable =
                    interest.is_writable() && (state.outgoing.len() < WAITING_BYTES_MAX || state.ended);
                match (readable, writable) {
                    (true, true) => Ready::READABLE | Ready::WRITABLE,
                    (true, false) => Ready::READABLE,
                    (false, true) => Ready::WRITABLE,
                    (false, false) => Ready::EMPTY,
                }
            };
            if !ready.is_empty() {
                return Ok(ready);
            }
            rung.await;
        }
    }

    /// As a socket's.
    pub(crate) fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.incoming.is_empty() {
            return if state.ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let taken = state.incoming.split();
        input.extend_from_slice(&taken);
        drop(state);
        self.0.outward.notify_waiters();
        Ok(taken.len())
    }

    /// As a socket's.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut room = WAITING_BYTES_MAX - state.outgoing.len();
        let mut taken = 0;
        for slice in slices {
            let count = slice.len().min(room);
            state.outgoing.extend_from_slice(&slice[..count]);
            (taken, room) = (taken + count, room - count);
        }
        drop(state);
        self.0.outward.notify_waiters();
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Nothing more is sent.
    pub(crate) fn shut_down(&self) {
        self.0.state.lock().shut = true;
        self.0.outward.notify_waiters();
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Setting;

    #[tokio::test]
    async fn one_address_has_its_part_of_the_tunnels_and_no_more() {
        let limits = Setting::new(TunnelLimits { count_max: 5, per_address_max: 2 });
        let (tunnels, mut opened) = Tunnels::new(limits.live(), Uptime::start());
        let open = async |name: &str, address: &str| {
            let peer = Peer { address: address.parse().unwrap(), is_local: false };
            tunnels.open(name.to_owned(), peer).await
        };
        assert_eq!(open("a", "192.0.2.1:1").await, Ok(()));
        assert_eq!(open("b", "192.0.2.1:2").await, Ok(()));
        assert_eq!(open("c", "192.0.2.1:3").await, Err(Refusal::TooManyFromThere));
        for name in ["d", "e", "f"] {
            assert_eq!(open(name, "127.0.0.1:1").await, Ok(()), "this machine is not bounded so");
        }
        assert_eq!(open("g", "192.0.2.2:1").await, Err(Refusal::TooMany));
        // A place is free when both ends have left, and one that was refused took none.
        tunnels.close("d").unwrap();
        tunnels.close("a").unwrap();
        drop(opened.recv().await);
        assert_eq!(open("c", "192.0.2.1:3").await, Ok(()));
        assert_eq!(open("h", "192.0.2.1:4").await, Err(Refusal::TooManyFromThere));
    }
}
