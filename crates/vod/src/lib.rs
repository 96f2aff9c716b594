//! Video on demand: films from directories, with their indices, shared by all who watch them.
//!
//! A [`Library`] knows where films are, a [`Film`] is one of them as it is now: its index in memory, its bytes in
//! the file. [`Reader`] is the plainer way for who reads a file once from its start to its end.

mod blocking;
mod film;
mod indexing;
mod library;
mod mp4;
mod place;
mod reader;
mod reel;
mod refusal;
pub mod thumbnails;
pub mod uploads;

pub use blocking::blocking;
pub use film::{Film, etag, read_at_hand};
pub use library::{Config, Library};
pub use place::{Entry, is_film};
pub use reader::{Chain, Item, Reader, is_metadata};
pub use reel::{Ending, Fill, Reel, Watched};
pub use refusal::{Refusal, RefusalKind};
