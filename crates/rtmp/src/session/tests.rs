//! Sessions, tested as dialogues.

mod client;
mod deadlines;
mod encoders;
mod flash;
mod kit;
mod pair;
mod server;
