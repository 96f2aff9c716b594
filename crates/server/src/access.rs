//! May this peer do that? Open on this machine, by secret from elsewhere.
//!
//! A peer is *local* when it connects from a loopback address, directly. Publishing from elsewhere needs
//! the publish key; the console and the API from elsewhere need the admin token. Watching is open. Both
//! secrets are made at the first start and kept in the data directory.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use constant_time_eq::constant_time_eq;
use serde::{Deserialize, Serialize, Serializer};

use crate::live::Live;

/// The file in the data directory.
const SECRETS_FILE: &str = "secrets.toml";
/// Letters of a secret: easy to read out, no vowels and so no words; 32 of them, five bits each.
const LETTERS: &[u8; 32] = b"bcdfghjkmnpqrstvwxz23456789BCDFG";
const SECRET_LETTERS: usize = 26;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Who may publish.
    pub(crate) publish: PublishRule,
    /// The publish key, instead of the one made at the first start.
    #[serde(serialize_with = "hidden")]
    pub(crate) publish_key: Option<String>,
    /// The admin token, instead of the one made at the first start.
    #[serde(serialize_with = "hidden")]
    pub(crate) admin_token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Secrets {
    publish_key: String,
    admin_token: String,
}

/// The gatekeeper that every door asks.
#[derive(Debug)]
pub(crate) struct Access {
    rule: Live<PublishRule>,
    publish_key: String,
    admin_token: String,
    /// Whether the secrets were made just now and are to be shown once.
    pub(crate) new: bool,
}

impl Access {
    /// Reads the secrets of the data directory; makes them where there are none.
    pub(crate) fn open(config: &Config, rule: Live<PublishRule>, data: &Path) -> anyhow::Result<Self> {
        let path = data.join(SECRETS_FILE);
        let (secrets, new) = match fs::read_to_string(&path) {
            Ok(text) => {
                let secrets: Secrets = toml::from_str(&text).map_err(|error| {
                    anyhow::anyhow!(
                        "{} is damaged: {error}Delete it to have new secrets made",
                        path.display()
                    )
                })?;
                (secrets, false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secrets = Secrets { publish_key: secret()?, admin_token: secret()? };
                store(&path, &secrets).map_err(|error| {
                    anyhow::anyhow!(
                        "cannot write {}: {error}. Use --data DIR for a place that can be written",
                        path.display()
                    )
                })?;
                (secrets, true)
            }
            Err(error) => anyhow::bail!("cannot read {}: {error}", path.display()),
        };
        Ok(Self {
            rule,
            publish_key: config.publish_key.clone().unwrap_or(secrets.publish_key),
            admin_token: config.admin_token.clone().unwrap_or(secrets.admin_token),
            new,
        })
    }

    /// May this peer publish with this key?
    pub(crate) fn may_publish(&self, is_local: bool, key: Option<&str>) -> bool {
        let open = match *self.rule.get() {
            PublishRule::Open => true,
            PublishRule::LocalOrKey => is_local,
            PublishRule::Key => false,
        };
        open || key.is_some_and(|key| same(key, &self.publish_key))
    }

    /// Is this the admin token?
    pub(crate) fn is_admin_token(&self, token: &str) -> bool {
        same(token, &self.admin_token)
    }

    /// The publish key, for the banner.
    pub(crate) fn publish_key(&self) -> &str {
        &self.publish_key
    }

    /// The admin token, for the banner.
    pub(crate) fn admin_token(&self) -> &str {
        &self.admin_token
    }
}

/// Whether a peer is on this machine.
pub(crate) fn is_local(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

fn same(a: &str, b: &str) -> bool {
    constant_time_eq(a.as_bytes(), b.as_bytes())
}

/// A secret that was configured is shown as being there.
fn hidden<S: Serializer>(secret: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "…").serialize(serializer)
}

fn secret() -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_LETTERS];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

fn store(path: &Path, secrets: &Secrets) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = toml::to_string(secrets).map_err(io::Error::other)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Setting;

    fn access(publish: PublishRule) -> Access {
        let (publish_key, admin_token) = ("key".into(), "token".into());
        let rule = Setting::new(publish).live();
        Access { rule, publish_key, admin_token, new: false }
    }

    fn peer(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn who_may_publish() {
        let (here, mapped, there) = (peer("127.0.0.1:1"), peer("[::ffff:127.0.0.1]:1"), peer("192.0.2.1:1"));
        let rule = access(PublishRule::LocalOrKey);
        assert!(rule.may_publish(is_local(here), None) && rule.may_publish(is_local(mapped), None));
        assert!(!rule.may_publish(is_local(there), None) && !rule.may_publish(is_local(there), Some("Key")));
        assert!(rule.may_publish(is_local(there), Some("key")));
        assert!(!access(PublishRule::Key).may_publish(is_local(here), None));
        assert!(access(PublishRule::Open).may_publish(is_local(there), None));
    }

    #[test]
    fn secrets_are_made_once_and_kept() {
        let data = std::env::temp_dir().join(format!("headwater-access-{}", std::process::id()));
        let rule = Setting::new(PublishRule::default()).live();
        let first = Access::open(&Config::default(), rule.clone(), &data).unwrap();
        let again = Access::open(&Config::default(), rule, &data).unwrap();
        assert!(first.new && !again.new);
        assert_eq!((first.publish_key(), first.admin_token()), (again.publish_key(), again.admin_token()));
        assert!(first.publish_key() != first.admin_token() && first.publish_key().len() == SECRET_LETTERS);
        fs::remove_dir_all(&data).unwrap();
    }
}
