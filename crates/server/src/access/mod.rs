//! May this peer do that? One decision for every door.
//!
//! A peer is *local* when it connects from a loopback address, directly, and `trust_local` is on. Publishing from
//! elsewhere needs the publish key; the console and the API from elsewhere need the admin token, or a session that began
//! with it. Watching is open. Both secrets are made at the first start and kept in the data directory.

mod secrets;
mod sessions;
mod signs;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::secrets::Secrets;
pub(crate) use self::secrets::{Secret, explain};
use self::sessions::Sessions;
pub(crate) use self::signs::LocalClient;
use self::signs::Signs;
use crate::live::Live;
pub(crate) use crate::net::peer::{Origin, Peer};

/// The longest that somebody may stay logged in: a year.
const SESSION_HOURS_MAX: u64 = 8_760;

/// Who may publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PublishRule {
    /// This machine without, everybody else with the publish key.
    #[default]
    LocalOrKey,
    /// Everybody only with the publish key.
    Key,
    /// Everybody.
    Open,
}

/// Rules of access; the section `[access]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Who may publish.
    pub(crate) publish: PublishRule,
    /// Whether a peer on this machine may do everything. Not where a proxy here hides who connects.
    pub(crate) trust_local: bool,
    /// How long somebody stays logged in to the console, in hours.
    pub(crate) session_hours: u64,
    /// The publish key, instead of the one made at the first start.
    pub(crate) publish_key: Option<Secret>,
    /// The admin token, instead of the one made at the first start.
    pub(crate) admin_token: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            publish: PublishRule::default(),
            trust_local: true,
            session_hours: 168,
            publish_key: None,
            admin_token: None,
        }
    }
}

impl Config {
    /// Says what cannot be.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !(1..=SESSION_HOURS_MAX).contains(&self.session_hours) {
            anyhow::bail!("[access] session_hours must be 1 to {SESSION_HOURS_MAX}; 168 is a week");
        }
        for (name, secret) in [("publish_key", &self.publish_key), ("admin_token", &self.admin_token)] {
            let Some(secret) = secret else { continue };
            let mend = |error| anyhow::anyhow!("{error}, or leave the line out to have one made");
            secret.check(&format!("[access] {name}")).map_err(mend)?;
        }
        Ok(())
    }

    /// Takes the secrets that the environment sets in place of the file's.
    ///
    /// # Errors
    /// One that will not do.
    pub(crate) fn take_environment(
        &mut self,
        publish_key: Option<String>,
        admin_token: Option<String>,
    ) -> anyhow::Result<()> {
        for (variable, text, place) in [
            ("HEADWATER_PUBLISH_KEY", publish_key, &mut self.publish_key),
            ("HEADWATER_ADMIN_TOKEN", admin_token, &mut self.admin_token),
        ] {
            let Some(text) = text else { continue };
            let secret = Secret::from(text);
            let mend = |error| anyhow::anyhow!("{error}, or unset the variable");
            secret.check(variable).map_err(mend)?;
            *place = Some(secret);
        }
        Ok(())
    }

    /// Looks at the secrets that an earlier start has left in the data directory.
    ///
    /// # Errors
    /// A file that is damaged, or one of whose secrets is in force and will not do.
    pub(crate) fn check_file(&self, data: &Path) -> anyhow::Result<()> {
        Secrets::read(data)?.map_or(Ok(()), |secrets| self.check_kept(&secrets, data))
    }

    fn check_kept(&self, kept: &Secrets, data: &Path) -> anyhow::Result<()> {
        let path = data.join(secrets::FILE);
        for (name, configured, kept) in [
            ("publish_key", &self.publish_key, &kept.publish_key),
            ("admin_token", &self.admin_token, &kept.admin_token),
        ] {
            if configured.is_none() {
                let mend = |error| anyhow::anyhow!("{error}, or delete the file to have new secrets made");
                kept.check(&format!("{name} in {}", path.display())).map_err(mend)?;
            }
        }
        Ok(())
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Bring a live stream.
    Publish,
    /// Watch a live stream or a film.
    Play,
    /// Use the console, the API or the metrics.
    Admin,
}

/// A question to [`Access::authorize`].
#[derive(Clone, Copy)]
pub(crate) struct AccessRequest<'a> {
    pub(crate) action: Action,
    pub(crate) peer: Peer,
    /// What it is about: a stream or film as `app/name`, or an address of the API.
    pub(crate) name: &'a str,
    /// The key or token that was shown.
    pub(crate) key: Option<&'a str>,
    /// The session that was shown, where no token was.
    pub(crate) session: Option<&'a str>,
}

/// Where a secret that is in force comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// The configuration or the environment.
    Configured,
    /// The file in the data directory, which an earlier start has written.
    Kept,
    /// That file, which this start has written.
    Made,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go ahead.
    Allow,
    /// No: why, for programs, and a sentence for the person at the other end.
    Refuse { reason: Reason, text: Cow<'static, str> },
}

/// Why somebody is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No key was shown, or an empty one.
    Missing,
    /// The key that was shown is not the one.
    Wrong,
    /// The secret stands in a name, which everybody sees.
    Misplaced,
}

impl Reason {
    /// For the metric.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "key_missing",
            Self::Wrong => "key_wrong",
            Self::Misplaced => "key_misplaced",
        }
    }
}

impl Decision {
    /// To somebody who has put a secret into an address under another name than `key`, or under none.
    pub(crate) fn misnamed() -> Self {
        let text =
            "A secret stands in the address, but not as its key: write NAME?key=KEY, with the publish key.";
        Self::refuse(Reason::Misplaced, text)
    }

    fn refuse(reason: Reason, text: &'static str) -> Self {
        Self::Refuse { reason, text: Cow::Borrowed(text) }
    }
}

/// The gatekeeper that every door asks.
#[derive(Debug)]
pub(crate) struct Access {
    rule: Live<PublishRule>,
    trust_local: bool,
    publish_key: Secret,
    admin_token: Secret,
    /// Where the two come from, and the file that keeps what was made.
    sources: (SecretSource, SecretSource),
    file: PathBuf,
    sessions: Sessions,
    signs: Arc<Signs>,
}

impl Access {
    /// Reads the secrets of the data directory; makes them where there are none.
    pub(crate) fn open(config: &Config, rule: Live<PublishRule>, data: &Path) -> anyhow::Result<Self> {
        config.check()?;
        let (kept, source) = match Secrets::read(data)? {
            Some(kept) => (kept, SecretSource::Kept),
            None => (Secrets::make(data)?, SecretSource::Made),
        };
        config.check_kept(&kept, data)?;
        let source_of =
            |configured: &Option<Secret>| configured.as_ref().map_or(source, |_| SecretSource::Configured);
        let file = data.join(secrets::FILE);
        Ok(Self {
            rule,
            trust_local: config.trust_local,
            sources: (source_of(&config.publish_key), source_of(&config.admin_token)),
            file: std::path::absolute(&file).unwrap_or(file),
            publish_key: config.publish_key.clone().unwrap_or(kept.publish_key),
            admin_token: config.admin_token.clone().unwrap_or(kept.admin_token),
            sessions: Sessions::new(Duration::from_secs(config.session_hours * 3600)),
            signs: Arc::default(),
        })
    }

    /// Who connects from there. Behind a proxy nobody is local, not even the proxy itself.
    pub(crate) fn peer(&self, Origin { address, is_direct }: Origin) -> Peer {
        Peer { address, is_local: self.trust_local && is_direct && is_loopback(address) }
    }

    /// Who connects from there through an HTTP proxy, which has added this header.
    pub(crate) fn peer_behind(&self, origin: Origin, header: &str) -> Peer {
        if self.peer(origin).is_local {
            self.signs.saw_header(header);
        }
        Peer { address: origin.address, is_local: false }
    }

    /// Counts an RTMP client while the guard lives, if it is one on this machine: see [`signs`].
    pub(crate) fn count_client(&self, peer: Peer) -> Option<LocalClient> {
        peer.is_local.then(|| self.signs.count())
    }

    /// May this peer do that? Asynchronous, for others than this program may have to be asked one day.
    #[expect(clippy::unused_async, reason = "doors must be able to wait for the answer")]
    pub(crate) async fn authorize(&self, request: AccessRequest<'_>) -> Decision {
        match request.action {
            Action::Admin => self.authorize_admin(request.peer, request.key, request.session),
            Action::Publish | Action::Play if self.publish_key.is_in(request.name) => {
                let text =
                    "The publish key stands in the stream's name, which everybody sees: write NAME?key=KEY.";
                Decision::refuse(Reason::Misplaced, text)
            }
            Action::Publish | Action::Play if self.admin_token.is_in(request.name) => {
                let text = "The admin token stands in the stream's name, which everybody sees.";
                Decision::refuse(Reason::Misplaced, text)
            }
            Action::Publish => self.authorize_publisher(request.peer, request.key),
            Action::Play => Decision::Allow,
        }
    }

    fn authorize_publisher(&self, peer: Peer, key: Option<&str>) -> Decision {
        let open = match *self.rule.get() {
            PublishRule::Open => true,
            PublishRule::LocalOrKey => peer.is_local,
            PublishRule::Key => false,
        };
        match key.filter(|key| !key.is_empty()) {
            _ if open => Decision::Allow,
            Some(key) if self.publish_key.is(key) => Decision::Allow,
            Some(_) => {
                let text = "The publish key is wrong: the server keeps the right one in secrets.toml in its data \
                            directory, or in its configuration.";
                Decision::refuse(Reason::Wrong, text)
            }
            None if *self.rule.get() == PublishRule::LocalOrKey
                && self.trust_local
                && !is_loopback(peer.address) =>
            {
                let text = "Publishing from another machine needs the publish key: end the stream key with ?key=KEY.";
                Decision::refuse(Reason::Missing, text)
            }
            None => {
                let text = "Publishing needs the publish key: end the stream key with ?key=KEY.";
                Decision::refuse(Reason::Missing, text)
            }
        }
    }

    fn authorize_admin(&self, peer: Peer, token: Option<&str>, session: Option<&str>) -> Decision {
        let session = session.filter(|session| !session.is_empty());
        match token.filter(|token| !token.is_empty()) {
            _ if peer.is_local => Decision::Allow,
            None if session.is_some_and(|session| self.session_left(session).is_some()) => Decision::Allow,
            None if session.is_some() => {
                let text = "the session is over: log in again at /login";
                Decision::refuse(Reason::Missing, text)
            }
            Some(token) if self.admin_token.is(token) => Decision::Allow,
            Some(_) => {
                let text = "the admin token is wrong: the server keeps the right one in secrets.toml in its data \
                            directory, or in its configuration";
                Decision::refuse(Reason::Wrong, text)
            }
            None => {
                let text = "this needs the admin token: send it as `Authorization: Bearer TOKEN`, or log in at /login";
                Decision::refuse(Reason::Missing, text)
            }
        }
    }

    /// Whether this is the admin token, wherever it comes from.
    pub(crate) fn is_admin_token(&self, token: &str) -> bool {
        self.admin_token.is(token)
    }

    /// Begins a session of somebody who has shown the admin token: its name, and how long it lasts.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn begin_session(&self) -> anyhow::Result<(String, Duration)> {
        Ok((self.sessions.begin(Instant::now())?, self.sessions.length()))
    }

    /// How long a session still lasts, if it is open.
    pub(crate) fn session_left(&self, session: &str) -> Option<Duration> {
        self.sessions.left(session, Instant::now())
    }

    /// Ends a session.
    pub(crate) fn end_session(&self, session: &str) {
        self.sessions.end(session);
    }

    /// Whether this is one of the secrets, as it is or coded.
    pub(crate) fn is_secret(&self, text: &str) -> bool {
        self.publish_key.is(text) | self.admin_token.is(text)
    }

    /// Whether one of the secrets stands in a query: as a value, whatever its name, or as a word of its own, which is
    /// taken apart where it holds an equals sign.
    pub(crate) fn is_secret_in<'a>(&self, mut query: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        query.any(|(name, value)| {
            self.is_secret(value) || self.is_secret(name) || self.is_secret(&format!("{name}={value}"))
        })
    }

    /// `text` without the secrets, for the log: people put them where they do not belong.
    pub(crate) fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.admin_token.masked(self.publish_key.masked(Cow::Borrowed(text)))
    }

    /// Whether publishing needs the key: from this machine, and from elsewhere.
    pub(crate) fn needs_key(&self) -> (bool, bool) {
        match *self.rule.get() {
            PublishRule::Open => (false, false),
            PublishRule::LocalOrKey => (!self.trust_local, true),
            PublishRule::Key => (true, true),
        }
    }

    /// The publish key, for an admin.
    pub(crate) fn publish_key(&self) -> &str {
        self.publish_key.reveal()
    }

    /// The admin token, for the banner of the start that made it.
    pub(crate) fn admin_token(&self) -> &str {
        self.admin_token.reveal()
    }

    /// Where the publish key and the admin token come from.
    pub(crate) fn secret_sources(&self) -> (SecretSource, SecretSource) {
        self.sources
    }

    /// The file that keeps the secrets that were made, with its whole path.
    pub(crate) fn secrets_file(&self) -> &Path {
        &self.file
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
