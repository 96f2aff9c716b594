//! What people meet on the command line, from the first start on: what is said, what is left behind, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod checking;
mod documents;
mod place;
mod sending;
mod starting;
mod terminal;
mod watching;
