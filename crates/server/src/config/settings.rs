//! The live keys on their way to the parts of the server: one small value for each part.

use std::time::Duration;

use super::Config;
use crate::access::PublishRule;
use crate::doors::{http, rtmp};
use crate::fanout::Gathering;
use crate::live::Setting;
use crate::net::listener::Limits;
use crate::net::proxy;
use crate::net::tunnel::TunnelLimits;
use crate::sources::Viewing;

/// What each part reads its live keys from.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) rtmp: Setting<rtmp::Config>,
    pub(crate) rtmp_limits: Setting<Limits>,
    pub(crate) http: Setting<http::Config>,
    pub(crate) http_limits: Setting<Limits>,
    pub(crate) tunnels: Setting<TunnelLimits>,
    pub(crate) proxy: Setting<proxy::Config>,
    pub(crate) viewing: Setting<Viewing>,
    pub(crate) gathering: Setting<Gathering>,
    pub(crate) publish: Setting<PublishRule>,
}

impl Settings {
    /// As the configuration says at the start.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            rtmp: Setting::new(config.rtmp.clone()),
            rtmp_limits: Setting::new(config.rtmp_limits()),
            http: Setting::new(config.http.clone()),
            http_limits: Setting::new(config.http_limits()),
            tunnels: Setting::new(config.tunnel_limits()),
            proxy: Setting::new(config.proxy.clone()),
            viewing: Setting::new(config.streams.viewing()),
            gathering: Setting::new(config.streams.gathering()),
            publish: Setting::new(config.access.publish),
        }
    }

    /// As the configuration says from now on.
    pub(super) fn set(&self, config: &Config) {
        self.rtmp.set(config.rtmp.clone());
        self.rtmp_limits.set(config.rtmp_limits());
        self.http.set(config.http.clone());
        self.http_limits.set(config.http_limits());
        self.tunnels.set(config.tunnel_limits());
        self.proxy.set(config.proxy.clone());
        self.viewing.set(config.streams.viewing());
        self.gathering.set(config.streams.gathering());
        self.publish.set(config.access.publish);
    }
}

impl Config {
    fn rtmp_limits(&self) -> Limits {
        let setup_timeout = Duration::from_millis(self.rtmp.setup_timeout_ms);
        Limits {
            connections_max: self.rtmp.connections_max,
            connections_per_address_max: self.rtmp.connections_per_address_max,
            setup_timeout,
        }
    }

    const fn tunnel_limits(&self) -> TunnelLimits {
        TunnelLimits { count_max: self.http.tunnels_max, per_address_max: self.http.tunnels_per_address_max }
    }

    fn http_limits(&self) -> Limits {
        let setup_timeout = Duration::from_millis(self.http.head_timeout_ms);
        Limits {
            connections_max: self.http.connections_max,
            connections_per_address_max: self.http.connections_per_address_max,
            setup_timeout,
        }
    }
}
