//! The configuration of the real binary, read again while it runs.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(unix)]

mod reload;
#[path = "../hostile/server.rs"]
#[allow(dead_code, reason = "the hostile tests ask more of it")]
mod server;
