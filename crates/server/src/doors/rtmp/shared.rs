//! What the connections share.

use std::sync::Arc;

use headwater_rtmp::session::ServerConfig;

use super::config::Config;
use crate::access::Access;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::net::seats::Addresses;
use crate::sources::Sources;

/// What the connections share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) session_config: Arc<ServerConfig>,
    pub(crate) sources: Sources,
    pub(crate) access: Arc<Access>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
    /// How many publishers come from each address.
    pub(crate) publishers: Arc<Addresses>,
}
