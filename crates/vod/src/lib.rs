//! Video on demand: films from directories, with their indices, shared by all who watch them.
//!
//! A [`Library`] knows where films are, a [`Film`] is one of them as it is now: its index in memory, its bytes in
//! the file. [`Reader`] is the plainer way for who reads a file once from its start to its end.

mod blob;
mod blocking;
pub mod cache;
mod film;
mod indexing;
mod item;
mod library;
mod media_root;
mod mp4;
mod reader;
mod reel;
mod refusal;
pub mod thumbnails;
pub mod uploads;

pub use blob::{Blob, FileBlob, Reading};
pub use blocking::blocking;
pub use film::Film;
pub use item::{Item, is_metadata};
pub use library::{Config, Library};
pub use media_root::{Entry, is_film};
pub use reader::{Chain, Reader};
pub use reel::{Ending, Fill, Reel, Watched};
pub use refusal::{Refusal, RefusalKind};
