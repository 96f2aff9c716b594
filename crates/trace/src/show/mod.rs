//! How a conversation is shown to a person or a program.

pub mod json;
pub mod meaning;
pub mod page;
pub mod rows;
pub mod text;
