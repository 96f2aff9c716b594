//! Sessions, tested as dialogues.

mod client;
mod kit;
mod pair;
mod server;
