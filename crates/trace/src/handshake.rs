//! The handshake of both sides as an observer sees it (RTMP 1.0 §5.2): who wrote which block, and whether the echoes
//! are echoes.

use bytes::{Buf, BytesMut};
use headwater_rtmp::capture::Side;
use headwater_rtmp::handshake::{BLOCK_BYTES, Block, Schema, client_digest, is_signed, server_digest};
use headwater_rtmp::rule::Rule;

use crate::event::{Echo, Handshake, Lost};
use crate::findings::Findings;

/// C1 and S1, kept until they have been compared with S2 and C2.
#[derive(Debug, Default)]
pub(crate) struct HandshakeCheck {
    c1: Option<Box<Block>>,
    s1: Option<Box<Block>>,
    has_s2: bool,
    has_c2: bool,
}

impl HandshakeCheck {
    /// Whether `side` may send messages: it has the other side's echo.
    pub(crate) fn allows_messages(&self, side: Side) -> bool {
        match side {
            Side::Client => self.has_s2,
            Side::Server => self.has_c2,
        }
    }

    /// Whether the client may send C2.
    pub(crate) fn allows_c2(&self) -> bool {
        self.s1.is_some()
    }

    /// Takes C0 C1 or S0 S1 when it is here in full.
    pub(crate) fn hello(
        &mut self,
        side: Side,
        input: &mut BytesMut,
        findings: &mut Findings,
    ) -> Option<Handshake> {
        let version = *input.first()?;
        let block: Box<Block> = Box::new(input.get(1..=BLOCK_BYTES)?.try_into().ok()?);
        input.advance(1 + BLOCK_BYTES);
        if version != 3 {
            findings.deviation(Rule::Version, side, format!("version {version}"));
        }
        let time_ms = block.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let peer = block.get(4..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; 4]);
        match side {
            Side::Client => {
                let digest = client_digest(&block).map(|(schema, _)| schema).filter(|_| peer != [0; 4]);
                self.c1 = Some(block);
                Some(Handshake::C0C1 { version, time_ms, peer, digest })
            }
            Side::Server => {
                let digest = server_digest(&block).map(|(schema, _)| schema).filter(|_| peer != [0; 4]);
                let is_copy = self.c1.as_ref().is_some_and(|c1| *c1 == block);
                if is_copy {
                    findings.deviation(Rule::S1Copy, side, "S1 is C1".into());
                }
                if digest.is_none() && peer != [0; 4] {
                    let [a, b, c, d] = peer;
                    findings.deviation(
                        Rule::S1Version,
                        side,
                        format!("{a:02x} {b:02x} {c:02x} {d:02x}, no digest"),
                    );
                }
                self.s1 = Some(block);
                Some(Handshake::S0S1 { version, time_ms, peer, digest })
            }
        }
    }

    /// Takes C2 or S2 when it is here in full.
    pub(crate) fn echo(
        &mut self,
        side: Side,
        input: &mut BytesMut,
        findings: &mut Findings,
    ) -> Option<Handshake> {
        let block: Block = input.get(..BLOCK_BYTES)?.try_into().ok()?;
        input.advance(BLOCK_BYTES);
        match side {
            Side::Client => {
                self.has_c2 = true;
                let echo = echo_of(&block, self.s1.as_deref(), server_digest, false);
                // Nothing compares with it any more.
                self.c1 = self.c1.take().filter(|_| !self.has_s2);
                check_echo(echo, Rule::C2Echo, side, findings);
                Some(Handshake::C2(echo))
            }
            Side::Server => {
                self.has_s2 = true;
                let echo = echo_of(&block, self.c1.as_deref(), client_digest, true);
                check_echo(echo, Rule::S2Echo, side, findings);
                Some(Handshake::S2(echo))
            }
        }
    }
}

fn check_echo(echo: Echo, rule: Rule, side: Side, findings: &mut Findings) {
    if let Echo::Other { differing } = echo {
        findings.deviation(rule, side, format!("{differing} of 1532 bytes differ, and no signature fits"));
    }
}

/// What an echo is. Its bytes 4 to 7 are the sender's own: a time, as the specification has it.
fn echo_of(
    echo: &Block,
    hello: Option<&Block>,
    digest: impl Fn(&Block) -> Option<(Schema, [u8; 32])>,
    by_server: bool,
) -> Echo {
    let Some(hello) = hello else { return Echo::Other { differing: BLOCK_BYTES - 4 } };
    let pairs = echo.iter().zip(hello).enumerate().filter(|(at, _)| !(4..8).contains(at));
    let differing = pairs.filter(|(_, (ours, theirs))| ours != theirs).count();
    if differing == 0 {
        return Echo::Copy;
    }
    match digest(hello) {
        Some((_, digest)) if is_signed(echo, &digest, by_server) => Echo::Signed,
        _ => Echo::Other { differing },
    }
}

/// What a first byte says that is not RTMP (RTMP 1.0 §5.2.2).
pub(crate) fn not_rtmp(side: Side, first: u8) -> Option<Lost> {
    match (side, first) {
        (_, 6 | 8 | 9) => Some(Lost::Rtmpe(first)),
        (_, 0x14..=0x16) => Some(Lost::Tls),
        (Side::Client, b'A'..=b'Z') | (Side::Server, b'H') => Some(Lost::Http),
        (_, 0x20..) => Some(Lost::NotRtmp(first)),
        _ => None,
    }
}
