//! The one way out to viewers, whatever they speak: lanes call them, what they get is laid out once for all who stand
//! side by side, and each writes it to its socket there and then.
//!
//! A door opens a [`Viewer`] on a connection's [`Wire`] in its [`Format`] and keeps listening to the peer. Of a slow
//! peer nothing waits here but the rest of one message: the others stay in the stream's log.

mod format;
mod lanes;
mod layout;
mod playing;
mod step;
mod transport;
mod viewer;
mod wire;

pub(crate) use format::{Envelope, Format};
pub(crate) use lanes::{Gathering, drive};
pub(crate) use playing::Playing;
pub(crate) use transport::{READ_BYTES_MAX, Transport};
pub(crate) use viewer::Viewer;
pub(crate) use wire::{Flow, Steps, Wire};
