//! Workers: what feeds or follows streams without a listener.

pub(crate) mod demo;
pub(crate) mod record;
