//! Where to listen, as people write it: `1935`, `:1935`, `localhost:1935`, `192.0.2.1:1935`, `[::]:1935`.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use serde::Deserializer;
use serde::de::{self, Visitor};

/// Reads where to listen: an address or a name of this machine, and a port. Without the former it is every address.
///
/// Of a name that has several addresses the first of IPv4 is taken: programs that know IPv6 try that too.
///
/// # Errors
/// What is wrong with it and how to write it, as a sentence.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let how =
        "write PORT, ADDRESS:PORT or NAME:PORT, as in 1935, 127.0.0.1:1935, [::]:1935 or localhost:1935";
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let Ok(port) = port.parse::<u16>() else {
        return Err(format!("`{text}` says no port to listen on: {how}"));
    };
    if host.is_empty() {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    if host.contains(':') {
        return Err(format!(
            "`{text}` is no address to listen on: an IPv6 address stands in brackets; {how}"
        ));
    }
    let found = (host, port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let found = found.map_err(|error| format!("`{host}` has no address here ({error}): {how}"))?;
    let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    first.copied().ok_or_else(|| format!("`{host}` has no address here: {how}"))
}

/// Reads a key of the configuration as [`parse`] does; a port may be a number.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    deserializer.deserialize_any(Written)
}

struct Written;

impl Visitor<'_> for Written {
    type Value = SocketAddr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("where to listen, as in \"127.0.0.1:1935\", or a port")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketAddr, E> {
        parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, port: i64) -> Result<SocketAddr, E> {
        parse(&port.to_string()).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_a_port_an_address_or_a_name() {
        for (written, address) in [
            ("1935", "[::]:1935"),
            (":1935", "[::]:1935"),
            (" 0 ", "[::]:0"),
            ("127.0.0.1:1935", "127.0.0.1:1935"),
            ("[::1]:1935", "[::1]:1935"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("localhost:1935", "127.0.0.1:1935"),
        ] {
            assert_eq!(parse(written), Ok(address.parse().unwrap()), "{written}");
        }
    }

    #[test]
    fn what_is_none_is_named_with_the_mend() {
        for (written, fault) in [
            ("everywhere", "`everywhere` says no port"),
            ("", "says no port"),
            ("localhost", "`localhost` says no port"),
            ("localhost:", "says no port"),
            ("localhost:65536", "says no port"),
            ("rtmp://localhost/live", "says no port"),
            ("::1:1935", "stands in brackets"),
            ("no-such-host.invalid:1935", "`no-such-host.invalid` has no address here"),
        ] {
            let error = parse(written).unwrap_err();
            assert!(error.contains(fault) && error.contains("127.0.0.1:1935"), "{error}");
        }
    }
}
