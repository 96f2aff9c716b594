//! Sessions, tested as dialogues.

mod client;
mod deadlines;
mod flash;
mod kit;
mod pair;
mod server;
