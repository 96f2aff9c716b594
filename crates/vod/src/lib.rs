//! Video on demand: films from directories, with their indices, shared by all who watch them.
//!
//! A [`Library`] knows where films are, a [`Film`] is one of them as it is now: its index in memory, its bytes in
//! the file, and a [`FilmCursor`] a viewer's place in it. [`Reader`] is the plainer way for who reads a file once from its
//! start to its end.

mod blob;
mod blocking;
pub mod cache;
mod chain;
mod cursor;
mod disk;
mod film;
mod film_cursor;
mod foreign;
mod indexing;
mod item;
mod library;
mod media_root;
mod mp4;
mod read_ahead;
mod reader;
mod refusal;
pub mod thumbnails;
pub mod uploads;

pub use blob::{Blob, FileBlob, Reading, read_at_hand, read_exact_at};
pub use blocking::blocking;
pub use chain::Chain;
pub use cursor::RecordedCursor;
pub use disk::free_bytes;
pub use film::{Film, TEXT_BYTES_MAX};
pub use film_cursor::{FilmCursor, OpenFilm};
pub use foreign::Foreign;
pub use indexing::{NoIndex, read_index};
pub use item::{Item, is_metadata};
pub use library::{Config, FileOrFilm, Library};
pub use media_root::{Entry, is_film, is_unfinished};
pub use read_ahead::{AHEAD_BYTES_MAX, Due, Growth, Pace, SampleSource};
pub use reader::Reader;
pub use refusal::{Refusal, RefusalKind};
