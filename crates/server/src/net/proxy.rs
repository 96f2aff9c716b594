//! The PROXY protocol: whom a trusted proxy speaks for (versions 1 and 2, haproxy.org's specification).
//!
//! The header is looked at before it is taken, so that a connection without one loses no byte.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 1 is one line of at most so many bytes.
const LINE_MAX: usize = 107;
/// Version 2: address block and extensions, at most. Cloud balancers add a hundred bytes.
const BLOCK_MAX: usize = 2048;
const HEAD_V2: usize = 16;

/// The section `[proxy]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Networks of proxies that must send the header, and are believed.
    pub(crate) trusted: Vec<Network>,
}

impl Config {
    /// Whether a peer with this address must send the header.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.0.contains(&address))
    }
}

/// A network (`10.0.0.0/8`) or a single address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Network(IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let whole = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        whole.map(Self).map_err(|_| format!("`{text}` is no network; write 10.0.0.0/8 or an address"))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.0.to_string()
    }
}

/// What the front of a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Not all of it is there.
    Incomplete,
    /// So many bytes long; whom the proxy speaks for, or nobody but itself (health checks).
    Complete { len: usize, client: Option<SocketAddr> },
}

/// Takes the header off and says who the client is: `peer` itself if the proxy speaks for itself.
///
/// # Errors
/// A header that is none, or too long; and the socket's.
pub(crate) async fn client_behind(socket: &mut TcpStream, peer: SocketAddr) -> io::Result<SocketAddr> {
    let mut front = [0; HEAD_V2 + BLOCK_MAX];
    let mut known = 0;
    loop {
        let seen = socket.peek(&mut front).await?;
        match parse(&front[..seen])? {
            Header::Complete { len, client } => {
                let mut rest = &mut front[..len];
                while !rest.is_empty() {
                    let count = socket.read(rest).await?;
                    rest = &mut rest[count..];
                }
                return Ok(client.unwrap_or(peer));
            }
            Header::Incomplete if seen == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // What has been looked at stays readable, so that nothing would wake us for the rest.
            Header::Incomplete if seen == known => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Header::Incomplete => known = seen,
        }
    }
}

fn parse(front: &[u8]) -> io::Result<Header> {
    let begins = |with: &[u8]| front.starts_with(with) || with.starts_with(front);
    if begins(SIGNATURE) {
        return parse_v2(front);
    }
    if begins(b"PROXY ") {
        return parse_v1(front);
    }
    Err(invalid("it sends no PROXY header, though its address is one of [proxy] trusted"))
}

fn parse_v1(front: &[u8]) -> io::Result<Header> {
    let Some(end) = front.windows(2).position(|pair| pair == b"\r\n") else {
        return if front.len() < LINE_MAX {
            Ok(Header::Incomplete)
        } else {
            Err(invalid("its PROXY line never ends"))
        };
    };
    let line = std::str::from_utf8(&front[..end]).map_err(|_| invalid("its PROXY line is not text"))?;
    let words: Vec<_> = line.split(' ').collect();
    let client = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4" | "TCP6", from, _, port, _] => {
            let address = from.parse::<IpAddr>().ok().zip(port.parse().ok());
            Some(address.ok_or_else(|| invalid("its PROXY line names no address"))?)
        }
        _ => return Err(invalid("its PROXY line is none")),
    };
    Ok(Header::Complete { len: end + 2, client: client.map(canonical) })
}

fn parse_v2(front: &[u8]) -> io::Result<Header> {
    let Some(head) = front.first_chunk::<HEAD_V2>() else { return Ok(Header::Incomplete) };
    let [version_command, family, high, low] = [head[12], head[13], head[14], head[15]];
    let len = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 || len > BLOCK_MAX {
        return Err(invalid("its PROXY header is of an unknown version, or too long"));
    }
    let Some(block) = front.get(HEAD_V2..HEAD_V2 + len) else { return Ok(Header::Incomplete) };
    const LOCAL: u8 = 0;
    const TCP4: u8 = 0x11;
    const TCP6: u8 = 0x21;
    let port = |at: usize| Some(u16::from_be_bytes(*block.get(at..)?.first_chunk()?));
    let client = match family {
        _ if version_command & 0xF == LOCAL => None,
        TCP4 => block.first_chunk::<4>().map(|ip| Ipv4Addr::from(*ip).into()).zip(port(8)),
        TCP6 => block.first_chunk::<16>().map(|ip| Ipv6Addr::from(*ip).into()).zip(port(32)),
        _ => return Err(invalid("its PROXY header is not about TCP")),
    };
    if client.is_none() && version_command & 0xF != LOCAL {
        return Err(invalid("its PROXY header names no address"));
    }
    Ok(Header::Complete { len: HEAD_V2 + len, client: client.map(canonical) })
}

fn canonical((address, port): (IpAddr, u16)) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(front: &[u8]) -> (usize, Option<String>) {
        for cut in 0..front.len() {
            if let Header::Complete { len, .. } = parse(&front[..cut]).unwrap() {
                assert_eq!(len, cut, "complete at {cut}");
            }
        }
        match parse(&[front, b"\x03rest"].concat()).unwrap() {
            Header::Complete { len, client } => (len, client.map(|client| client.to_string())),
            Header::Incomplete => panic!("it is complete"),
        }
    }

    #[test]
    fn version_1_names_the_client() {
        let v4 = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 1935\r\n";
        assert_eq!(complete(v4), (v4.len(), Some("203.0.113.7:56324".into())));
        let v6 = b"PROXY TCP6 2001:db8::1 ::1 5 1935\r\n";
        assert_eq!(complete(v6), (v6.len(), Some("[2001:db8::1]:5".into())));
        assert_eq!(complete(b"PROXY UNKNOWN\r\n").1, None);
    }

    #[test]
    fn version_2_names_the_client_and_may_carry_more() {
        let header = |command: u8, family: u8, block: &[u8]| {
            let len = (block.len() as u16).to_be_bytes();
            [&SIGNATURE[..], &[0x20 | command, family], &len, block].concat()
        };
        let v4 = header(1, 0x11, &[203, 0, 113, 7, 10, 0, 0, 1, 0xDC, 4, 7, 0x8F, 4, 0, 1, 9]);
        assert_eq!(complete(&v4), (v4.len(), Some("203.0.113.7:56324".into())));
        let mut block = [0; 36];
        (block[15], block[33]) = (1, 5);
        let v6 = header(1, 0x21, &block);
        assert_eq!(complete(&v6), (v6.len(), Some("[::1]:5".into())));
        assert_eq!(complete(&header(0, 0, &[])).1, None, "a health check");
        assert!(parse(&header(1, 0x11, &[1, 2])).is_err());
        assert!(parse(&header(1, 0x12, &[0; 12])).is_err(), "UDP");
    }

    #[test]
    fn what_is_no_header_is_refused_at_its_first_byte() {
        for bad in [&b"\x03"[..], b"GET / HTTP/1.1", b"PROXY TCP4 nowhere x 1 2\r\n", b"PROXY NONSENSE\r\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat()).is_err());
        let mut long = SIGNATURE.to_vec();
        long.extend([0x21, 0x11, 0xFF, 0xFF]);
        assert!(parse(&long).is_err());
    }

    #[test]
    fn networks_are_read_and_asked() {
        let config: Config = toml::from_str("trusted = [\"10.0.0.0/8\", \"::1\"]").unwrap();
        assert!(config.trusts("10.1.2.3".parse().unwrap()) && config.trusts("::1".parse().unwrap()));
        assert!(!config.trusts("11.0.0.1".parse().unwrap()));
        assert!(toml::from_str::<Config>("trusted = [\"everybody\"]").is_err());
    }
}
