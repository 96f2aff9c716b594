//! The handshake: C0 C1 C2 against S0 S1 S2, simple and with digest, both sides.
//!
//! It ends before the first chunk and leaves what follows in the input. RTMPE is recognised and refused.
//! A wrong C2 or S2 is no fault: half the field sends one.

mod digest;

use bytes::{Buf, BytesMut};

use crate::capture::Side;
use crate::keyed_hash::hmac_sha256;
use crate::{Error, Fault, Output};
pub use digest::{BLOCK_BYTES, Block, Schema, client_digest, is_signed, server_digest};

const VERSION: u8 = 3;

/// Our version in a C1 with digest (Flash Player 10.0.45.2) and in an S1 with digest.
const CLIENT_VERSION: [u8; 4] = [0x0A, 0x00, 0x2D, 0x02];
const SERVER_VERSION: [u8; 4] = [0x04, 0x05, 0x00, 0x01];

/// Fresh random bytes for one connection. The crate makes no randomness of its own; these are spread
/// over the blocks of the handshake with HMAC-SHA256. They protect nothing: RTMP's handshake is no
/// security.
#[derive(Clone, Copy, Debug)]
pub struct Nonce(pub [u8; 32]);

impl Nonce {
    /// A block filled with bytes that follow from the nonce and `label`.
    fn block(&self, label: u8) -> Block {
        let mut block = [0; BLOCK_BYTES];
        for (number, piece) in block.chunks_mut(32).enumerate() {
            let bytes = hmac_sha256(&self.0, &[&[label], &(number as u32).to_be_bytes()]);
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
        block
    }
}

/// How the two sides greeted each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Time, zeros and noise.
    Simple,
    /// With an HMAC-SHA256 digest in this place (Flash Player 9.0.115 and later, FFmpeg).
    Digest(Schema),
}

/// The server's half. [`ServerHandshake::read`] until it names the form.
#[derive(Debug)]
pub struct ServerHandshake {
    state: ServerState,
    nonce: Nonce,
    time_ms: u32,
    position: u64,
}

#[derive(Debug)]
enum ServerState {
    AwaitC1,
    AwaitC2 { form: Form, missing: usize },
}

impl ServerHandshake {
    /// `time_ms` is the epoch that S1 announces; any value will do.
    #[must_use]
    pub fn new(nonce: Nonce, time_ms: u32) -> Self {
        Self { state: ServerState::AwaitC1, nonce, time_ms, position: 0 }
    }

    /// Bytes that the peer has sent and that were taken from the input.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes the handshake from `input`. `Some` when it is done; the rest of `input` is chunks.
    ///
    /// S0 S1 S2 go out together as soon as C1 is here: FFmpeg, GStreamer and gortmplib send C2 only after
    /// they have read S2.
    ///
    /// # Errors
    /// [`Error::Peer`] or [`Error::Unsupported`] when the first byte tells that the peer speaks something
    /// else.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut Output) -> Result<Option<Form>, Error> {
        if let ServerState::AwaitC1 = self.state {
            let Some(&version) = input.first() else { return Ok(None) };
            check_version(Side::Client, version)?;
            let Some(c1) = read_block(input) else { return Ok(None) };
            let form = self.answer(&c1, output);
            self.position = 1 + BLOCK_BYTES as u64;
            self.state = ServerState::AwaitC2 { form, missing: BLOCK_BYTES };
        }
        let ServerState::AwaitC2 { form, missing } = &mut self.state else { return Ok(None) };
        skip(input, missing, &mut self.position);
        Ok((*missing == 0).then_some(*form))
    }

    fn answer(&self, c1: &Block, output: &mut Output) -> Form {
        let mut s1 = self.nonce.block(1);
        s1[..4].copy_from_slice(&self.time_ms.to_be_bytes());
        output.put(&[VERSION]);
        let speaks_digest = c1[4..8] != [0; 4];
        match client_digest(c1).filter(|_| speaks_digest) {
            Some((schema, c1_digest)) => {
                s1[4..8].copy_from_slice(&SERVER_VERSION);
                digest::sign(&mut s1, schema, digest::SERVER_KEY);
                output.put(&s1);
                output.put(&digest::answer(self.nonce.block(2), &c1_digest, digest::SERVER_KEY_FULL));
                Form::Digest(schema)
            }
            // An FFmpeg player demands a digest as soon as S1 names a version (quirk 2): zeros, then.
            None => {
                s1[4..8].fill(0);
                output.put(&s1);
                output.put(c1);
                Form::Simple
            }
        }
    }
}

/// The client's half. [`ClientHandshake::start`], then [`ClientHandshake::read`] until it names the form.
#[derive(Debug)]
pub struct ClientHandshake {
    state: ClientState,
    nonce: Nonce,
    position: u64,
}

#[derive(Debug)]
enum ClientState {
    AwaitS1,
    AwaitS2 { form: Form, missing: usize },
}

impl ClientHandshake {
    /// Sends C0 and C1. With `offer_digest` C1 carries a digest in schema 1, the only one that Flash Media
    /// Server takes from a client; servers without digests answer it plainly.
    #[must_use]
    pub fn start(nonce: Nonce, time_ms: u32, offer_digest: bool, output: &mut Output) -> Self {
        let mut c1 = nonce.block(3);
        c1[..4].copy_from_slice(&time_ms.to_be_bytes());
        if offer_digest {
            c1[4..8].copy_from_slice(&CLIENT_VERSION);
            digest::sign(&mut c1, Schema::DigestFirst, digest::CLIENT_KEY);
        } else {
            c1[4..8].fill(0);
        }
        output.put(&[VERSION]);
        output.put(&c1);
        Self { state: ClientState::AwaitS1, nonce, position: 0 }
    }

    /// Bytes that the peer has sent and that were taken from the input.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes the handshake from `input`. `Some` when it is done; the rest of `input` is chunks.
    ///
    /// # Errors
    /// [`Error::Peer`] when the first byte tells that the peer is no RTMP server; the fault says what
    /// it seems to be.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut Output) -> Result<Option<Form>, Error> {
        if let ClientState::AwaitS1 = self.state {
            let Some(&version) = input.first() else { return Ok(None) };
            check_version(Side::Server, version)?;
            let Some(s1) = read_block(input) else { return Ok(None) };
            let form = self.answer(&s1, output);
            self.position = 1 + BLOCK_BYTES as u64;
            self.state = ClientState::AwaitS2 { form, missing: BLOCK_BYTES };
        }
        let ClientState::AwaitS2 { form, missing } = &mut self.state else { return Ok(None) };
        skip(input, missing, &mut self.position);
        Ok((*missing == 0).then_some(*form))
    }

    fn answer(&self, s1: &Block, output: &mut Output) -> Form {
        let speaks_digest = s1[4..8] != [0; 4];
        match server_digest(s1).filter(|_| speaks_digest) {
            Some((schema, s1_digest)) => {
                output.put(&digest::answer(self.nonce.block(4), &s1_digest, digest::CLIENT_KEY_FULL));
                Form::Digest(schema)
            }
            None => {
                output.put(s1);
                Form::Simple
            }
        }
    }
}

/// The version byte and the block behind it, when both are here.
fn read_block(input: &mut BytesMut) -> Option<Block> {
    let block: Block = input.get(1..=BLOCK_BYTES)?.try_into().ok()?;
    input.advance(1 + BLOCK_BYTES);
    Some(block)
}

fn skip(input: &mut BytesMut, missing: &mut usize, position: &mut u64) {
    let step = input.len().min(*missing);
    input.advance(step);
    *missing -= step;
    *position += step as u64;
}

/// RTMP 1.0 §5.2.2: 3 is RTMP, text protocols begin above 0x1F, and the rest is to be answered with 3.
fn check_version(by: Side, first: u8) -> Result<(), Error> {
    let fault = Fault::Version { by, first };
    match (by, first) {
        (_, 6 | 8 | 9) => Err(Error::Unsupported { at: 0, fault }),
        (_, 0x16 | 0x20..) | (Side::Server, 0x15) => Err(Error::Peer { at: 0, fault }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
