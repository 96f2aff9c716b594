//! Who may do what, at every door of the running server; and that no secret is told to anybody.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod clients;
mod leaks;
mod publishing;
mod server;
mod signs;
mod ways_in;
mod wire;
