//! How a conversation is shown to a person or a program: a transcript makes rows of events and draws them as text, as
//! JSON and as a page.

mod amf;
mod json;
mod meaning;
mod page;
mod plain;
mod rows;
mod tag_meaning;
mod text;
mod transcript;

pub use rows::Detail;
pub use text::{Paint, WIDTH_MIN};
pub use transcript::{Format, Report, Transcript};
