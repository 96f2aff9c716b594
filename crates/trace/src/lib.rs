//! An onlooker at an RTMP conversation, and how what it sees is shown.
//!
//! [`observe`] takes the bytes of both sides and says what they mean and where they deviate from the rules. What it
//! says becomes rows ([`story`]), which are drawn as text ([`ladder`]), as a page ([`page`]) or as JSON ([`json`]).
//! Where the bytes come from (a client, a proxy, a recording) is the caller's business.

pub mod json;
pub mod ladder;
pub mod observe;
pub mod page;
pub mod story;
pub mod words;
