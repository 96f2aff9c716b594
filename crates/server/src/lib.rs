//! Headwater's outside world: sockets, files, HTTP and operators.
//!
//! Floors, top down: `cli` (what a person types) → `app` and `config` (the only ones that name doors side
//! by side) → the doors `rtmp` and `http`, the worker `demo` → `vod`, `access`, `metrics`, `fanout`,
//! `listener`, `uptime`, `wishes`. Arrows run down only; a door never imports a door nor the configuration.

mod access;
mod app;
pub mod cli;
mod config;
mod demo;
mod entrance;
mod fanout;
mod gallery;
mod http;
mod listener;
mod metrics;
mod picture;
mod proxy;
mod rtmp;
mod source;
mod stop;
mod tls;
mod tunnel;
mod uploads;
mod uptime;
mod vod;
mod wishes;
