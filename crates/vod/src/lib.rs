//! Video on demand: films from directories, with their indices, shared by all who watch them.
//!
//! A [`Library`] knows where films are, a [`Film`] is one of them as it is now: its index in memory, its bytes in
//! the file, and a [`FilmCursor`] a viewer's place in it. [`Reader`] is the plainer way for who reads a file once from its start to its end.

mod cursor;
mod film;
mod film_cursor;
mod indexing;
mod library;
mod mp4;
mod place;
mod read_ahead;
mod reader;
pub mod thumbnails;
pub mod uploads;

pub use cursor::RecordedCursor;
pub use film::{Film, etag, read_at_hand};
pub use film_cursor::{FilmCursor, OpenFilm};
pub use library::{Config, Entry, Library, Refusal};
pub use place::is_film;
pub use read_ahead::{Growth, SampleSource};
pub use reader::{Chain, Item, Reader, is_metadata};
