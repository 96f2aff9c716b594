//! The digest inside C1 and S1, and the signature at the end of C2 and S2.
//!
//! Adobe never specified it; the layout is what FFmpeg, librtmp, SRS and nginx-rtmp agree on. The
//! Diffie-Hellman key of RTMPE, which the same blocks can carry, is left as noise.

use crate::keyed_hash::hmac_sha256;

/// Length of C1, S1, C2 and S2.
pub const BLOCK_BYTES: usize = 1536;

/// C1, S1, C2 or S2 as bytes.
pub type Block = [u8; BLOCK_BYTES];

const DIGEST_BYTES: usize = 32;

/// Where the digest's room of possible positions ends.
const DIGEST_SPAN: u32 = 728;

/// Where a block carries its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Schema 0: the key block first, the digest block at byte 772.
    KeyFirst,
    /// Schema 1: the digest block first, at byte 8.
    DigestFirst,
}

pub(super) const CLIENT_KEY_FULL: &[u8] = b"Genuine Adobe Flash Player 001\
    \xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\
    \x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE";
pub(super) const SERVER_KEY_FULL: &[u8] = b"Genuine Adobe Flash Media Server 001\
    \xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\
    \x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE";

pub(super) const CLIENT_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
pub(super) const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";

/// The digest of a C1, if there is one and it is right.
pub fn client_digest(c1: &Block) -> Option<(Schema, [u8; 32])> {
    find(c1, CLIENT_KEY)
}

/// The digest of an S1, if there is one and it is right.
pub fn server_digest(s1: &Block) -> Option<(Schema, [u8; 32])> {
    find(s1, SERVER_KEY)
}

/// Whether an S2 signs the digest of C1 (`by_server`), or a C2 that of S1.
pub fn is_signed(echo: &Block, digest: &[u8; 32], by_server: bool) -> bool {
    let key = if by_server { SERVER_KEY_FULL } else { CLIENT_KEY_FULL };
    is_answer(echo, digest, key)
}

/// The digest of C1 or S1 and where it was found, if it is there and right. Schema 0 first, as SRS and
/// nginx-rtmp do it; the order is of no consequence, because the digest is checked.
fn find(block: &Block, key: &[u8]) -> Option<(Schema, [u8; DIGEST_BYTES])> {
    [Schema::KeyFirst, Schema::DigestFirst].into_iter().find_map(|schema| {
        let digest = digest(block, schema, key);
        let at = position(block, schema);
        (block[at..at + DIGEST_BYTES] == digest).then_some((schema, digest))
    })
}

/// Writes the digest into C1 or S1, at the place that the block's own bytes name.
pub(super) fn sign(block: &mut Block, schema: Schema, key: &[u8]) {
    let digest = digest(block, schema, key);
    let at = position(block, schema);
    block[at..at + DIGEST_BYTES].copy_from_slice(&digest);
}

/// C2 or S2: `noise`, its last 32 bytes replaced by a signature that only who has read `digest` can make.
pub(super) fn answer(mut noise: Block, digest: &[u8; DIGEST_BYTES], key_full: &[u8]) -> Block {
    let end = noise.len() - DIGEST_BYTES;
    let key = hmac_sha256(key_full, &[digest]);
    let signature = hmac_sha256(&key, &[&noise[..end]]);
    noise[end..].copy_from_slice(&signature);
    noise
}

/// Whether `block` is an answer that only who has read `digest` can make.
fn is_answer(block: &Block, digest: &[u8; DIGEST_BYTES], key_full: &[u8]) -> bool {
    answer(*block, digest, key_full) == *block
}

fn digest(block: &Block, schema: Schema, key: &[u8]) -> [u8; DIGEST_BYTES] {
    let at = position(block, schema);
    hmac_sha256(key, &[&block[..at], &block[at + DIGEST_BYTES..]])
}

/// 776..=1503 for schema 0, 12..=739 for schema 1: always inside the block.
pub(super) fn position(block: &Block, schema: Schema) -> usize {
    let base = match schema {
        Schema::KeyFirst => 772,
        Schema::DigestFirst => 8,
    };
    let sum: u32 = block[base..base + 4].iter().map(|&byte| u32::from(byte)).sum();
    base + 4 + (sum % DIGEST_SPAN) as usize
}
