//! HMAC-SHA256, the one keyed hash of the handshake's digests and of our own logins.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length: longer ones are hashed, shorter ones padded (RFC 2104).
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for piece in pieces {
        hmac.update(piece);
    }
    hmac.finalize().into_bytes().into()
}
