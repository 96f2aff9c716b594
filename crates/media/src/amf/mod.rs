//! The Action Message Format: the values that RTMP commands and FLV script tags are made of.
//!
//! Values are kept as they came: strings as bytes (not every encoder sends UTF-8), object keys in order.
//! Decoding is bounded by [`Limits`] before memory is taken, and nested values are counted, so that no
//! message can exhaust the stack.

pub mod amf0;
pub mod amf3;
mod read;
mod value;

pub use value::{Object, Text, Value};

/// Bounds of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep values may nest, AMF0 and AMF3 together. The decoders recurse: stay far below 1000.
    pub depth_max: usize,
    /// Values in one message, at most; what a reference repeats counts again.
    pub values_max: usize,
    /// Bytes of one string, at most.
    pub string_bytes_max: usize,
}

impl Limits {
    /// For messages from the wire.
    pub const WIRE: Self = Self { depth_max: 32, values_max: 4096, string_bytes_max: 64 << 10 };
    /// For script tags of files, whose keyframe index may be long.
    pub const FILE: Self = Self { depth_max: 32, values_max: 4_000_000, string_bytes_max: 1 << 20 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::WIRE
    }
}

/// Why a value cannot be decoded; positions count bytes from the start of the message body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body ends within a value.
    #[error("AMF value cut off at byte {0}")]
    CutOff(usize),
    /// A marker that no value has.
    #[error("unknown AMF marker 0x{marker:02x} at byte {at}")]
    UnknownMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        at: usize,
    },
    /// [`Limits::depth_max`].
    #[error("AMF values nest deeper than {limit} at byte {at} (limit depth_max)")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where it was passed.
        at: usize,
    },
    /// [`Limits::values_max`].
    #[error("more than {limit} AMF values at byte {at} (limit values_max)")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Where it was passed.
        at: usize,
    },
    /// [`Limits::string_bytes_max`].
    #[error("AMF string of {length} bytes at byte {at}; the limit string_bytes_max is {limit}")]
    TooLong {
        /// Announced length.
        length: usize,
        /// The limit.
        limit: usize,
        /// Where it stands.
        at: usize,
    },
    /// A reference of AMF3 to a string or traits that were not sent.
    #[error("AMF3 {table} reference {index} at byte {at} names nothing")]
    BadReference {
        /// `string` or `traits`.
        table: &'static str,
        /// The index.
        index: usize,
        /// Where it stands.
        at: usize,
    },
    /// An externalizable class of AMF3, whose body only its own code can read.
    #[error(
        "AMF3 externalizable class {class:?} at byte {at} is not supported; have the client send plain objects"
    )]
    UnknownClass {
        /// Its name.
        class: Text,
        /// Where it stands.
        at: usize,
    },
}
