//! Adobe's login (`authmod=adobe`), both sides: Wirecast, FMLE, XSplit, OBS and FFmpeg know it.
//!
//! It takes three connections. The first is turned away with "need auth", the second, which names the user
//! in the query of its app, with a challenge, and the third carries the answer. A [`crate::session::ClientSession`]
//! whose URL has a user and a password goes through it by itself, see
//! [`crate::session::ClientEvent::LoginAsked`]; a server asks [`LoginDesk`] about each `connect`.
//!
//! The password does not travel, but MD5 protects it badly, and whoever sits in between can publish in the
//! user's place. Use it where an encoder can nothing better, and over TLS.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::command::ConnectRequest;
pub use crate::credentials::Credentials;
use crate::handshake::Nonce;
use crate::keyed_hash::hmac_sha256;
use crate::url::Query;

/// What the query of each further connection begins with.
const MODE: &str = "authmod=adobe";
/// How long a challenge may be answered, in seconds. An encoder answers at once.
const CHALLENGE_SECONDS: u64 = 60;

/// What the next connection carries behind its app, after a server has said `description`; `None` when the
/// server asks for no login, or refuses the one that `said` already carries.
pub(crate) fn next_query(
    credentials: &Credentials,
    said: &str,
    description: &str,
    nonce: &Nonce,
) -> Option<String> {
    if !description.contains(MODE) || said.contains("response=") {
        return None;
    }
    let user = escaped(&credentials.user);
    if description.contains("reason=needauth") {
        let (_, asked) = description.rsplit_once('?')?;
        let asked = Query::parse([asked.trim_end_matches([']', ' '])]);
        let salt = asked.get("salt").unwrap_or_default();
        let question = asked.get("opaque").or_else(|| asked.get("challenge"))?;
        let challenge = hex(&hmac_sha256(&nonce.0, &[b"login"])[..4]);
        let response = response(&credentials.user, salt, &credentials.password, question, &challenge);
        let opaque = asked.get("opaque").map(|opaque| format!("&opaque={opaque}")).unwrap_or_default();
        return Some(format!("?{MODE}&user={user}&challenge={challenge}&response={response}{opaque}"));
    }
    (said.is_empty() && description.contains("code=403 need auth")).then(|| format!("?{MODE}&user={user}"))
}

/// Asks publishers for user and password. It remembers nothing between a client's three connections: a
/// challenge carries its own time and a keyed hash.
#[derive(Clone)]
pub struct LoginDesk {
    secret: [u8; 32],
}

/// What is to become of a `connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This user has shown that the password is known: let the client in.
    Granted {
        /// The user's name.
        user: String,
    },
    /// The dialogue goes on: turn the client away
    /// ([`crate::command::ConnectRejection::Rejected`]) with this description, and it comes again.
    Asked {
        /// For the rejection of the `connect`.
        description: String,
    },
    /// Wrong password, unknown user, or an answer that came too late: turn the client away for good.
    Refused {
        /// The user's name.
        user: String,
        /// For the rejection of the `connect`.
        description: String,
    },
}

impl fmt::Debug for LoginDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginDesk")
    }
}

impl LoginDesk {
    /// `secret` must be random and stay the same while the server runs, on all machines that share a name.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// Judges a `connect`. `now_s` is the time in seconds since any moment, `nonce` fresh for every
    /// connection (that of the session will do); `password` gives a user's password, or `None` for who is
    /// not known, which the client is not told.
    #[must_use]
    pub fn judge(
        &self,
        request: &ConnectRequest,
        now_s: u64,
        nonce: &Nonce,
        password: impl FnOnce(&str) -> Option<String>,
    ) -> Verdict {
        let query = |address: &str| address.split_once('?').map_or("", |(_, query)| query).to_owned();
        let said = Query::parse([&*query(&request.app), &*query(&request.tc_url)]);
        let user = said.decoded("user").unwrap_or_default().into_owned();
        if said.get("authmod") != Some("adobe") || user.is_empty() {
            return Verdict::Asked { description: format!("[ code=403 need auth; {MODE} ]") };
        }
        let (Some(answer), Some(challenge)) = (said.get("response"), said.get("challenge")) else {
            return Verdict::Asked { description: self.question(&user, now_s, nonce) };
        };
        let question = said.get("opaque").unwrap_or_default();
        let is_right = password(&user).is_some_and(|password| {
            let right = response(&user, &self.salt(&user), &password, question, challenge);
            is_equal(right.as_bytes(), answer.as_bytes())
        });
        if is_right && self.is_ours(question, &user, now_s) {
            return Verdict::Granted { user };
        }
        let description = format!("[ {MODE} ] : ?reason=authfailed&opaque={question}");
        Verdict::Refused { user, description }
    }

    fn question(&self, user: &str, now_s: u64, nonce: &Nonce) -> String {
        let (salt, question) = (self.salt(user), self.challenge(user, now_s, &hex(&nonce.0[..8])));
        let user = escaped(user);
        format!(
            "[ {MODE} ] : ?reason=needauth&user={user}&salt={salt}&challenge={question}&opaque={question}"
        )
    }

    /// The same for a user at any time, whether there is one of that name or not.
    fn salt(&self, user: &str) -> String {
        hex(&hmac_sha256(&self.secret, &[b"salt", user.as_bytes()])[..8])
    }

    /// Time, chance and a hash over both that only we can make.
    fn challenge(&self, user: &str, now_s: u64, chance: &str) -> String {
        let time = format!("{now_s:016x}");
        let hash = hmac_sha256(&self.secret, &[b"ask", time.as_bytes(), chance.as_bytes(), user.as_bytes()]);
        format!("{time}{chance}{}", hex(&hash[..16]))
    }

    fn is_ours(&self, question: &str, user: &str, now_s: u64) -> bool {
        let (Some(time), Some(chance)) = (question.get(..16), question.get(16..32)) else { return false };
        let Ok(asked_s) = u64::from_str_radix(time, 16) else { return false };
        let age = now_s.checked_sub(asked_s);
        age.is_some_and(|age| age <= CHALLENGE_SECONDS)
            && is_equal(self.challenge(user, asked_s, chance).as_bytes(), question.as_bytes())
    }
}

/// base64(md5(base64(md5(user + salt + password)) + question + challenge)); the question is the server's
/// `opaque` or, without one, its `challenge`.
fn response(user: &str, salt: &str, password: &str, question: &str, challenge: &str) -> String {
    let secret = STANDARD.encode(Md5::digest(format!("{user}{salt}{password}")));
    STANDARD.encode(Md5::digest(format!("{secret}{question}{challenge}")))
}

/// Without a hint, by the time it takes, of where they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name as it can stand in a query. FFmpeg writes it raw, and so do we what is harmless.
fn escaped(text: &str) -> String {
    let is_harmless = |byte: u8| byte > b' ' && !b"%&/?#=+\x7f".contains(&byte);
    let mut out = Vec::new();
    for byte in text.bytes() {
        if is_harmless(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests;
