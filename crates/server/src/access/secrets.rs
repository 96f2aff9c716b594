//! The two secrets: what may be one, the file that keeps them, and how they stay out of every text.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::{borrow::Cow, fmt};

use constant_time_eq::constant_time_eq;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize, Serializer};

/// The file in the data directory.
pub(super) const FILE: &str = "secrets.toml";
/// Letters of a secret: easy to read out, no vowels and so no words; 32 of them, five bits each.
const LETTERS: &[u8; 32] = b"bcdfghjkmnpqrstvwxz23456789BCDFG";
/// Letters of a secret that is made here.
pub(super) const MADE_LETTERS: usize = 26;
/// Letters of a secret, at least. Fewer can be guessed over the network.
const LETTERS_MIN: usize = 8;

/// A secret. It is printed by nothing: not by `Debug`, and what was read of it is not quoted in errors.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secret(
    /// As it was given.
    String,
    /// As a name holds it that somebody has made of it, decoded; only where that is another text. Every address that
    /// somebody watches is searched for it.
    Option<String>,
);

/// Shown as being there.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

impl Secret {
    /// Whether this will do as a secret.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence of which `name` is the subject and to which the mend is to be added.
    pub(super) fn check(&self, name: &str) -> anyhow::Result<()> {
        let letters = self.0.trim().chars().count();
        let fault = match (self.0.is_empty(), letters) {
            (true, _) => "is empty",
            (_, 0) => "is blank",
            _ if self.0.trim() != self.0 => {
                anyhow::bail!(
                    "{name} begins or ends with white space, which clients do not send: take it away"
                )
            }
            (_, ..LETTERS_MIN) => "is too short",
            _ => return Ok(()),
        };
        anyhow::bail!(
            "{name} {fault}, and would let anybody in: give it at least {LETTERS_MIN} letters or digits"
        )
    }

    /// Whether `given` is this secret, as it is or coded for a URL or a form: clients and people do either.
    /// How long this takes tells nothing of the secret.
    pub(super) fn is(&self, given: &str) -> bool {
        let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let spellings = [given.as_bytes().to_vec(), decoded(given), decoded(&given.replace('+', " "))];
        // Without a short cut.
        spellings.iter().fold(false, |found, spelling| constant_time_eq(spelling, self.0.as_bytes()) | found)
    }

    /// Whether it stands somewhere in `name`, which was decoded.
    pub(super) fn is_in(&self, name: &str) -> bool {
        name.contains(&self.0) || self.1.as_deref().is_some_and(|decoded| name.contains(decoded))
    }

    /// `text` with an ellipsis wherever it stands, in whichever form.
    pub(super) fn masked<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        let mask = |text: Cow<'a, str>, form: &str| {
            if text.contains(form) { Cow::Owned(text.replace(form, "…")) } else { text }
        };
        let text = mask(text, &self.0);
        let text = self.1.as_deref().into_iter().fold(text, mask);
        mask(text, &self.coded())
    }

    /// As a URL or a cookie holds it.
    pub(super) fn coded(&self) -> String {
        utf8_percent_encode(&self.0, NON_ALPHANUMERIC).to_string()
    }

    /// The secret itself, for the person whom it belongs to.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        let decoded = percent_decode_str(&text).decode_utf8().ok();
        let decoded = decoded.filter(|decoded| **decoded != text).map(Cow::into_owned);
        Self(text, decoded)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The secrets that a server made for itself.
#[derive(Debug, Deserialize)]
pub(super) struct Secrets {
    pub(super) publish_key: Secret,
    pub(super) admin_token: Secret,
}

impl Secrets {
    /// Reads the file of the data directory; nothing where there is none.
    ///
    /// # Errors
    /// A file that cannot be read or is none of ours.
    pub(super) fn read(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = data.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => anyhow::bail!("cannot read {}: {error}", path.display()),
        };
        // The parser's own words quote the line.
        toml::from_str(&text)
            .map(Some)
            .map_err(|_| anyhow::anyhow!("{} is damaged. Delete it to have new secrets made", path.display()))
    }

    /// Makes new ones and keeps them in the data directory, readable for this user only.
    ///
    /// # Errors
    /// A directory that cannot be written, or a system without random bytes.
    pub(super) fn make(data: &Path) -> anyhow::Result<Self> {
        let secrets = Self { publish_key: random()?, admin_token: random()? };
        let path = data.join(FILE);
        secrets.store(&path).map_err(|error| {
            anyhow::anyhow!(
                "cannot write {}: {error}. Use --data DIR for a place that can be written",
                path.display()
            )
        })?;
        Ok(secrets)
    }

    fn store(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let (key, token) = (self.publish_key.reveal(), self.admin_token.reveal());
        let text = format!("publish_key = \"{key}\"\nadmin_token = \"{token}\"\n");
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(text.as_bytes())
    }
}

fn random() -> anyhow::Result<Secret> {
    random_text().map(Secret::from)
}

/// Letters that nobody can guess.
///
/// # Errors
/// The system gives no random bytes.
pub(super) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; MADE_LETTERS];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    let letters = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(letters.collect())
}

/// What is wrong with a configuration file, without the line that the parser quotes where it may hold a secret: in
/// the section `[access]`, and everywhere in a file that names one of its keys, for a secret may go over many lines.
pub(crate) fn explain(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else { return error.message().to_owned() };
    let before = text.get(..span.start).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let section =
        text.get(..start).unwrap_or_default().lines().rev().map(str::trim).find(|line| line.starts_with('['));
    let names_one = ["publish_key", "admin_token"].iter().any(|word| text.contains(word));
    if !names_one && !line.contains("access") && !section.is_some_and(|section| section.contains("access")) {
        return error.to_string();
    }
    let (row, column) = (before.lines().count().max(1), before[start..].chars().count() + 1);
    let row = if before.ends_with('\n') { row + 1 } else { row };
    // "invalid type: integer `12345`, expected a string" quotes the value too.
    let said = match error.message().split_once(", expected ") {
        Some((said, wanted)) if !said.starts_with("unknown field") => format!("expected {wanted}"),
        _ => error.message().to_owned(),
    };
    format!("line {row}, column {column} (not shown, for it may hold a secret): {said}")
}
