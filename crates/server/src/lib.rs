//! Headwater's outside world: sockets, HTTP and operators.
//!
//! Floors, top down: `app` and `config` (the only ones that name doors side by side) → the doors (`rtmp`, `http`)
//! and the workers → `sources`, `track_selection`, `access`, `events`, `metrics`, `fanout`, `live`, `stop`, `uptime` → `net`, what
//! happens before a protocol. Arrows run down only; a door never imports a door nor the configuration.

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
mod workers;

pub use app::run;
pub use config::{Config, Origin, Overrides};
pub use net::tls::client as tls_client;
