//! The doors: each speaks the protocol of its listeners, in its folder, and knows no other.

pub(crate) mod http;
pub(crate) mod rtmp;
