//! What the server says at its start: where to publish and to watch, from this machine and from others, and where
//! the keys are. People read it once; programs wait for its last line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::access::{Access, SecretSource};

/// Addresses of this machine that are shown. One with more is a router, and its operator knows them.
const ADDRESSES_MAX: usize = 6;

/// What the banner is made of.
pub(super) struct Banner<'a> {
    pub(super) access: &'a Access,
    /// How much of each live stream is kept to go back in, if anything is.
    pub(super) window: Option<Duration>,
    /// Where RTMP and HTTP are taken in without TLS.
    pub(super) rtmp: SocketAddr,
    pub(super) http: SocketAddr,
    /// All listeners by their names.
    pub(super) listeners: Vec<(&'static str, SocketAddr)>,
    /// Addresses by which other machines may know this one.
    pub(super) interfaces: Vec<IpAddr>,
    pub(super) with_demo: bool,
}

impl Banner<'_> {
    /// The text; its last line begins with `Ready:` and names every listener.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Headwater {}\n\n", env!("CARGO_PKG_VERSION"));
        let (rtmp, http) = (reachable(self.rtmp), reachable(self.http));
        if self.with_demo {
            text += &format!("  watch the demo     http://{http}/watch/live/demo\n");
        }
        let name = self.stream_key(rtmp.ip().is_loopback());
        // Some shells take a question mark for a pattern.
        let quote = if name.contains('?') { "\"" } else { "" };
        text += &format!(
            "  publish (OBS)      server rtmp://{rtmp}/live   stream key {name}\n  \
               publish (ffmpeg)   ffmpeg -re -i FILE -c copy -f flv {quote}rtmp://{rtmp}/live/{name}{quote}\n  \
               watch              http://{http}/watch/live/NAME\n  \
               console            http://{http}/\n",
        );
        if let Some(window) = self.window {
            let seconds = window.as_secs();
            text += &format!(
                "  go back            the newest {seconds} s of each stream are kept   ([window] in the configuration)\n"
            );
        }
        text += &self.other_machines();
        text += &self.keys();
        text += "\nReady:";
        for (name, address) in &self.listeners {
            text += &format!(" {name}://{}", reachable(*address));
        }
        text + "\n"
    }

    /// The same for other machines, where the server listens at every address.
    fn other_machines(&self) -> String {
        let (rtmp, http) = (self.elsewhere(self.rtmp), self.elsewhere(self.http));
        let mut lines = String::new();
        if let Some(rtmp) = rtmp.first() {
            let name = self.stream_key(false);
            lines += &format!("  publish (OBS)      server rtmp://{rtmp}/live   stream key {name}\n");
        }
        if let Some(http) = http.first() {
            lines += &format!(
                "  watch              http://{http}/watch/live/NAME\n  \
                   console            http://{http}/\n"
            );
        }
        let known = if rtmp.len() > http.len() { rtmp } else { http };
        let hosts: Vec<_> = known.iter().map(|address| address.ip().to_string()).collect();
        match hosts.len() {
            0 => String::new(),
            _ => format!("\n  From other machines, at {}:\n{lines}", hosts.join(", ")),
        }
    }

    /// Where other machines find a listener that is at every address of this one.
    fn elsewhere(&self, listener: SocketAddr) -> Vec<SocketAddr> {
        if !listener.ip().is_unspecified() {
            return Vec::new();
        }
        let is_heard = |address: &&IpAddr| address.is_ipv4() || listener.is_ipv6();
        let heard = self.interfaces.iter().filter(is_heard).take(ADDRESSES_MAX);
        heard.map(|address| SocketAddr::new(*address, listener.port())).collect()
    }

    /// What stands in the place of the stream key, for somebody on this machine or elsewhere.
    fn stream_key(&self, is_here: bool) -> &'static str {
        let (here, elsewhere) = self.access.needs_key();
        if if is_here { here } else { elsewhere } { "NAME?key=KEY" } else { "NAME" }
    }

    /// Where the two secrets are; themselves only if they were made just now.
    fn keys(&self) -> String {
        let (key, token) = self.access.secret_sources();
        let file = self.access.secrets_file().display();
        let told = |source, secret: &str| match source {
            SecretSource::Made => format!("{secret}   (made now; kept in {file})"),
            SecretSource::Kept => format!("in {file}"),
            SecretSource::Configured => "as the configuration or the environment sets it".to_owned(),
        };
        let what_for = match self.access.needs_key() {
            (false, false) => "   (nobody needs it)",
            _ => "",
        };
        format!(
            "\n  publish key (KEY)  {}{what_for}\n  console's token    {}\n",
            told(key, self.access.publish_key()),
            told(token, self.access.admin_token())
        )
    }
}

/// An address that can be typed into a player on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    }
    address
}

/// The addresses by which other machines may know this one, those of IPv4 first.
pub(super) fn interfaces() -> Vec<IpAddr> {
    let is_shown = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    };
    // A system that does not tell has none to be shown.
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<_> = found.into_iter().map(|interface| interface.ip()).filter(is_shown).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Config, PublishRule};
    use crate::live::Setting;

    /// What is said of these listeners with this configuration, at the first start and at the second.
    fn said(config: &str, rtmp: &str, http: &str) -> [String; 2] {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("headwater-banner-{}-{number}", std::process::id()));
        let config: Config = toml::from_str(config).unwrap();
        let said = [(); 2].map(|()| {
            let rule = Setting::<PublishRule>::new(config.publish).live();
            let access = Access::open(&config, rule, &data).unwrap();
            let (rtmp, http) = (rtmp.parse().unwrap(), http.parse().unwrap());
            let banner = Banner {
                access: &access,
                window: Some(Duration::from_secs(300)),
                rtmp,
                http,
                listeners: vec![("rtmp", rtmp), ("http", http)],
                interfaces: ["192.0.2.7", "198.51.100.7", "2001:db8::7"]
                    .map(|it| it.parse().unwrap())
                    .to_vec(),
                with_demo: false,
            };
            banner.text()
        });
        std::fs::remove_dir_all(&data).unwrap();
        said
    }

    const EVERYWHERE: [&str; 2] = ["[::]:1935", "[::]:8080"];

    #[test]
    fn other_machines_are_told_where_this_one_is_and_that_they_need_the_key() {
        let [first, _] = said("", EVERYWHERE[0], EVERYWHERE[1]);
        for line in [
            "server rtmp://127.0.0.1:1935/live   stream key NAME\n",
            "-f flv rtmp://127.0.0.1:1935/live/NAME\n",
            "From other machines, at 192.0.2.7, 198.51.100.7, 2001:db8::7:\n",
            "server rtmp://192.0.2.7:1935/live   stream key NAME?key=KEY\n",
            "http://192.0.2.7:8080/watch/live/NAME\n",
            "http://192.0.2.7:8080/\n",
        ] {
            assert!(first.contains(line), "{line:?} is not in {first}");
        }
        assert!(first.ends_with("\nReady: rtmp://127.0.0.1:1935 http://127.0.0.1:8080\n"), "{first}");
        let [first, _] = said("", "0.0.0.0:1935", "127.0.0.1:8080");
        assert!(first.contains("From other machines, at 192.0.2.7, 198.51.100.7:\n"), "{first}");
        assert!(first.contains("rtmp://192.0.2.7:1935/") && !first.contains("http://192.0.2.7"), "{first}");
    }

    #[test]
    fn who_listens_here_alone_is_told_of_here_alone() {
        let [first, _] = said("", "127.0.0.1:1935", "[::1]:8080");
        assert!(!first.contains("From other machines") && !first.contains("192.0.2.7"), "{first}");
        assert!(first.contains("http://[::1]:8080/watch"), "{first}");
    }

    #[test]
    fn a_key_is_asked_for_where_it_is_needed() {
        // Who connects to an address of the network does not come from the loopback one, even on this machine.
        let [first, _] = said("", "192.0.2.7:1935", "192.0.2.7:8080");
        assert!(first.contains("-f flv \"rtmp://192.0.2.7:1935/live/NAME?key=KEY\"\n"), "{first}");
        for (config, here, elsewhere) in [
            ("publish = \"key\"", "NAME?key=KEY", "NAME?key=KEY"),
            ("trust_local = false", "NAME?key=KEY", "NAME?key=KEY"),
            ("publish = \"open\"", "NAME", "NAME"),
        ] {
            let [first, _] = said(config, EVERYWHERE[0], EVERYWHERE[1]);
            let keys: Vec<_> = first.lines().filter_map(|line| line.split_once("stream key ")).collect();
            assert_eq!(keys.iter().map(|(_, key)| *key).collect::<Vec<_>>(), [here, elsewhere], "{first}");
        }
    }

    #[test]
    fn secrets_are_shown_when_they_are_made_and_found_afterwards() {
        let [first, second] = said("", EVERYWHERE[0], EVERYWHERE[1]);
        assert_eq!(
            (first.matches("(made now; kept in /").count(), second.matches("made now").count()),
            (2, 0)
        );
        assert_eq!(second.matches("  in /").count(), 2, "{second}");
        assert!(second.contains("secrets.toml\n"), "{second}");
        let [first, second] = said("admin_token = \"the-admins-token\"", EVERYWHERE[0], EVERYWHERE[1]);
        for said in [&first, &second] {
            assert!(said.contains("console's token    as the configuration"), "{said}");
            assert!(!said.contains("the-admins-token"), "{said}");
        }
        assert_eq!((first.matches("made now").count(), second.matches("made now").count()), (1, 0));
        let both = "admin_token = \"the-admins-token\"\npublish_key = \"the-publish-key\"";
        let [first, _] = said(both, EVERYWHERE[0], EVERYWHERE[1]);
        assert!(!first.contains("made now") && !first.contains("secrets.toml"), "{first}");
    }
}
