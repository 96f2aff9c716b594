//! Addresses: a client's `rtmp://` URL, and what a server makes of tcUrl, app and stream name.
//!
//! Clients take a URL apart each in their own way (`a` + `b/c`, `a/b` + `c`, the query here or there). The
//! server joins what it gets and takes it apart in one way of its own: the first segment is the app, the
//! rest the name. No name that comes out of here has an empty, `.` or `..` segment or a control
//! character; nothing here touches a file or resolves a host.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::credentials::Credentials;

/// The longest path, in bytes, before and after decoding.
pub const PATH_BYTES_MAX: usize = 1024;

/// Containers that players put before the name of a file.
const PREFIXES: [&str; 4] = ["flv", "mp4", "f4v", "mp3"];

/// A stream's address on a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamPath {
    /// The application: the path's first segment. Empty only if the client named nothing at all.
    pub app: String,
    /// The stream: the rest, decoded, segments parted by `/`. May be empty.
    pub name: String,
    /// `mp4` of `mp4:film.mp4`, without the colon.
    pub prefix: Option<&'static str>,
    /// What was asked for beyond the name, wherever the client put it.
    pub query: Query,
    /// The other way to read it, where a slash may stand in the query: FFmpeg and librtmp cut a URL at its
    /// slashes whether they are in the query or not, so that of `live/cam?key=a/b` comes `live/cam?key=a` and `b`.
    /// Which way is right, only who knows the value can tell. A name read the wrong way holds a part of the value.
    pub uncut: Option<Box<Self>>,
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// Beyond [`PATH_BYTES_MAX`].
    #[error("the stream's path has {0} bytes; at most 1024 are allowed")]
    TooLong(usize),
    /// A `.` or `..` segment.
    #[error("the stream's path has a `.` or `..` segment; name the stream without it")]
    Dots,
    /// A control character or NUL, also in the form `%00`.
    #[error("the stream's path has a control character; name the stream without it")]
    ControlCharacter,
    /// Not UTF-8 after decoding `%XX`.
    #[error("the stream's path is not UTF-8")]
    NotUtf8,
}

impl StreamPath {
    /// Makes one address of what a client sends in `connect` (tcUrl, app) and in `publish` or `play`.
    ///
    /// # Errors
    /// [`PathFault`] for a path that is not to be taken.
    pub fn resolve(tc_url: &str, app: &str, stream: &str) -> Result<Self, PathFault> {
        let (tc_path, tc_query) = split_query(url_path(tc_url));
        let (app, app_query) = split_query(app);
        let app = if app.trim_matches('/').is_empty() { tc_path } else { app };
        let (name, name_query) = split_query(stream);
        let read = |name, query: &str, app_query| Self::read(app, name, [query, app_query, tc_query]);
        let (read, uncut) = if !name.is_empty() {
            let whole = format!("{app_query}/{stream}");
            let uncut = (!app_query.is_empty()).then(|| read("", &whole, ""));
            (read(name, name_query, app_query), uncut)
        } else if let Some((query, rest)) = app_query.split_once('/') {
            // FMLE's `app?k=v/stream`, all of it in the app. With a name at hand a slash belongs to the
            // value: base64 is sent raw.
            let last = app_query.rsplit_once('/').filter(|(longer, _)| *longer != query);
            let (longer, shorter) = last.unwrap_or((app_query, ""));
            (read(rest, name_query, query), Some(read(shorter, name_query, longer)))
        } else {
            (read(name, name_query, app_query), None)
        };
        match (read, uncut.and_then(Result::ok)) {
            (Ok(path), uncut) => Ok(Self { uncut: uncut.map(Box::new), ..path }),
            // What was taken for the name is none, since it is the value's.
            (Err(_), Some(uncut)) => Ok(uncut),
            (Err(fault), None) => Err(fault),
        }
    }

    fn read(app: &str, name: &str, queries: [&str; 3]) -> Result<Self, PathFault> {
        let app = app.trim_end_matches('/');
        let app = app.strip_suffix("/_definst_").unwrap_or(app);
        let (prefix, name) = split_prefix(name);
        let path = format!("{app}/{name}");
        if path.len() > PATH_BYTES_MAX {
            return Err(PathFault::TooLong(path.len()));
        }
        let path = decode(&path)?;
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let app = segments.next().unwrap_or_default().to_owned();
        let name = segments.collect::<Vec<_>>().join("/");
        let (prefix, name) = match prefix {
            Some(_) => (prefix, name),
            None => {
                let (prefix, rest) = split_prefix(&name);
                (prefix, rest.trim_start_matches('/').to_owned())
            }
        };
        Ok(Self { app, name, prefix, query: Query::parse(queries), uncut: None })
    }
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.app)?;
        if let Some(prefix) = self.prefix {
            write!(f, "{prefix}:")?;
        }
        f.write_str(&self.name)
    }
}

/// The parameters of an address. Values are as sent: base64 of a token comes with raw `+` and `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Of equal names the first counts: give the stream name's own query first.
    pub(crate) fn parse<'a>(queries: impl IntoIterator<Item = &'a str>) -> Self {
        let pairs = queries.into_iter().flat_map(|query| query.split(['&', '?']));
        let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key.to_owned(), value.to_owned())
        });
        let mut query = Self::default();
        for (key, value) in pairs {
            // The same query comes in tcUrl and app as a rule: once is enough.
            if query.get(&key).is_none() {
                query.0.push((key, value));
            }
        }
        query
    }

    /// The value as sent; empty for a name without `=`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value with `%XX` decoded, for values that people type.
    #[must_use]
    pub fn decoded(&self, key: &str) -> Option<Cow<'_, str>> {
        let raw = self.get(key)?;
        Some(String::from_utf8(percent_decode(raw)).map_or(Cow::Borrowed(raw), Cow::Owned))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether nothing was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The scheme of a client's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Rtmp,
    /// Inside TLS.
    Rtmps,
}

impl Scheme {
    const fn word(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Rtmp => 1935,
            Self::Rtmps => 443,
        }
    }
}

/// Where a client goes: `rtmp://[user:password@]host[:port]/app/name[?query]`. Printed without the user
/// and the password.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RtmpUrl {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// 1935 for `rtmp`, 443 for `rtmps`, unless given.
    pub port: u16,
    /// The first segment of the path.
    pub app: String,
    /// The rest of the path as typed, its query included: what OBS calls the stream key.
    pub stream: String,
    /// For servers that ask for a login ([`crate::login`]).
    pub credentials: Option<Credentials>,
    /// What `connect` carries behind the app in the course of a login; else empty.
    pub(crate) login: String,
}

/// Why a URL cannot be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// Neither `rtmp://` nor `rtmps://`.
    #[error("`{0}` is no RTMP address; it begins with rtmp:// or rtmps://")]
    Scheme(String),
    /// Nothing between `//` and the path.
    #[error("`{0}` names no host; write rtmp://HOST/APP/NAME")]
    Host(String),
    /// Not a number from 1 to 65535.
    #[error("`{0}` is no port; use a number from 1 to 65535")]
    Port(String),
    /// No application.
    #[error("`{0}` names no application; write rtmp://HOST/APP/NAME")]
    App(String),
}

impl RtmpUrl {
    /// Where a server sends us that asks to reconnect: `tc_url` may be whole, begin with the host
    /// (`//host/app`) or with the app (`/app`); without one it is here again. The stream stays the same.
    ///
    /// # Errors
    /// [`UrlFault`] for what is no address.
    pub fn moved(&self, tc_url: Option<&str>) -> Result<Self, UrlFault> {
        let Some(tc_url) = tc_url.map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(self.clone());
        };
        let here = self.tc_url();
        let path_at = here.find("://").map_or(0, |at| at + 3);
        let path_at = here[path_at..].find('/').map_or(here.len(), |at| path_at + at);
        let whole = match tc_url {
            host if host.starts_with("//") => format!("{}:{host}", self.scheme.word()),
            app if app.starts_with('/') => format!("{}{app}", &here[..path_at]),
            whole => whole.to_owned(),
        };
        let mut there: Self = whole.parse()?;
        there.credentials = there.credentials.or_else(|| self.credentials.clone());
        // An application may have an instance: what stands behind its first segment comes before the name.
        let instance = std::mem::take(&mut there.stream);
        there.stream = match instance.trim_matches('/') {
            "" => self.stream.clone(),
            instance => format!("{instance}/{}", self.stream),
        };
        Ok(there)
    }

    /// The address as `connect` names it: without the stream, and without a port that goes without
    /// saying.
    #[must_use]
    pub fn tc_url(&self) -> String {
        let Self { scheme, host, port, app, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme_word = scheme.word();
        if *port == scheme.port() {
            format!("{scheme_word}://{host}/{app}")
        } else {
            format!("{scheme_word}://{host}:{port}/{app}")
        }
    }
}

impl FromStr for RtmpUrl {
    type Err = UrlFault;

    fn from_str(url: &str) -> Result<Self, UrlFault> {
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(|| UrlFault::Scheme(quotable(url)))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => Scheme::Rtmp,
            "rtmps" => Scheme::Rtmps,
            _ => return Err(UrlFault::Scheme(quotable(url))),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (credentials, authority) = split_credentials(authority);
        let (host, port) = split_port(authority);
        if host.is_empty() {
            return Err(UrlFault::Host(quotable(url)));
        }
        let port = match port {
            None => scheme.port(),
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(UrlFault::Port(text.to_owned())),
            },
        };
        let path = path.trim_start_matches('/');
        // A slash in the query parts nothing.
        let (before_query, _) = split_query(path);
        let cut = before_query.find('/').unwrap_or(before_query.len());
        let (app, stream) = path.split_at(cut);
        if app.is_empty() {
            return Err(UrlFault::App(quotable(url)));
        }
        let stream = stream.strip_prefix('/').unwrap_or(stream).to_owned();
        let (host, app, login) = (host.to_owned(), app.to_owned(), String::new());
        Ok(Self { scheme, host, port, app, stream, credentials, login })
    }
}

impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tc_url())?;
        if !self.stream.is_empty() && !self.stream.starts_with('?') {
            f.write_str("/")?;
        }
        f.write_str(&self.stream)
    }
}

/// A URL as an error may quote it: without a password and without the query, which may hold a key.
fn quotable(url: &str) -> String {
    let (url, _) = split_query(url.trim());
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path_at = rest.find('/').unwrap_or(rest.len());
    let host_at = rest[..path_at].rfind('@').map_or(0, |at| at + 1);
    let scheme = &url[..url.len() - rest.len()];
    format!("{scheme}{}", &rest[host_at..])
}

/// `user:password@` in front of a host. What stands for itself in a URL no more is decoded.
fn split_credentials(authority: &str) -> (Option<Credentials>, &str) {
    let Some((login, host)) = authority.rsplit_once('@') else { return (None, authority) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let text = |raw: &str| String::from_utf8(percent_decode(raw)).unwrap_or_else(|_| raw.to_owned());
    let credentials = Credentials { user: text(user), password: text(password) };
    ((!user.is_empty()).then_some(credentials), host)
}

/// `host:port`, `[v6]:port`, `host`.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some((v6, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (v6, rest.strip_prefix(':'));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// What follows the host; empty for anything that is no URL.
fn url_path(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.find(['/', '?']).map_or("", |at| &rest[at..])
}

fn split_prefix(name: &str) -> (Option<&'static str>, &str) {
    let known = name.split_once(':').and_then(|(prefix, rest)| {
        let known = PREFIXES.into_iter().find(|known| known.eq_ignore_ascii_case(prefix))?;
        Some((Some(known), rest))
    });
    known.unwrap_or((None, name))
}

/// Decodes `%XX` once and refuses what must not come near a file name.
fn decode(path: &str) -> Result<String, PathFault> {
    let path = String::from_utf8(percent_decode(path)).map_err(|_| PathFault::NotUtf8)?;
    if path.chars().any(char::is_control) {
        return Err(PathFault::ControlCharacter);
    }
    if path.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
        return Err(PathFault::Dots);
    }
    Ok(path)
}

/// A `%` that no two hexadecimal digits follow stays what it is.
fn percent_decode(text: &str) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let coded = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match coded {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
