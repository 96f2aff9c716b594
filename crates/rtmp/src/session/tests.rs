//! Sessions, tested as dialogues.

mod client;
mod flash;
mod kit;
mod pair;
mod server;
