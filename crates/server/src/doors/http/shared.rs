//! What the requests share.

use std::sync::Arc;

use headwater_vod::thumbnails::Thumbnails;
use headwater_vod::uploads::Uploads;

use super::files::cuts::Cuts;
use super::live_hls::audience::Audience;
use super::live_hls::rendered::Playlists;
use crate::access::Access;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::net::tunnel::Tunnels;
use crate::sources::Sources;

/// What the requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sources: Sources,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) uploads: Arc<Uploads>,
    pub(crate) access: Arc<Access>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
    pub(crate) tunnels: Arc<Tunnels>,
    pub(crate) cuts: Cuts,
    pub(crate) playlists: Playlists,
    pub(crate) audience: Audience,
    pub(crate) rtmp_port: u16,
    pub(crate) http_port: u16,
}
