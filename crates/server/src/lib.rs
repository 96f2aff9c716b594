//! The server: listeners, the RTMP and the HTTP door, who may do what, configuration, events, metrics.
//!
//! Floors, top down; a file names only files of its own room and of floors below:
//!
//! 1. `app` and `config`, the only ones that name doors and workers side by side
//! 2. the doors (`doors/rtmp`, `doors/http`) and the workers; none names another, nor `app` or `config`
//! 3. `sources`, `track_selection`, `access`, `fanout`: what doors and workers share
//! 4. `net`: what happens before a protocol
//! 5. `events`, `metrics`, `watched`, `live`, `stop`, `uptime`: what everything reports to or listens to

mod access;
mod app;
mod config;
mod doors;
mod events;
mod fanout;
mod live;
mod metrics;
mod net;
mod sources;
mod stop;
mod track_selection;
mod uptime;
mod watched;
mod workers;

pub use app::run;
pub use config::{Config, Origin, Overrides};
pub use net::listen_address::parse as parse_listen_address;
pub use net::tls_client::client as tls_client;
