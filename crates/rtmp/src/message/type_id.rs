//! Message type ids (RTMP 1.0 §5.4, §7.1).

/// Set Chunk Size.
pub const SET_CHUNK_SIZE: u8 = 1;
/// Abort Message.
pub const ABORT: u8 = 2;
/// Acknowledgement.
pub const ACKNOWLEDGEMENT: u8 = 3;
/// User Control Message.
pub const USER_CONTROL: u8 = 4;
/// Window Acknowledgement Size.
pub const WINDOW_ACK_SIZE: u8 = 5;
/// Set Peer Bandwidth.
pub const SET_PEER_BANDWIDTH: u8 = 6;
/// Audio: an FLV audio tag's body.
pub const AUDIO: u8 = 8;
/// Video: an FLV video tag's body.
pub const VIDEO: u8 = 9;
/// Data with one byte more in front, from peers that speak AMF3.
pub const DATA_AMF3: u8 = 15;
/// A shared object whose values are in the format that its first byte names.
pub const SHARED_OBJECT_AMF3: u8 = 16;
/// A command with one byte more in front, from peers that speak AMF3.
pub const COMMAND_AMF3: u8 = 17;
/// Data: a handler's name and values, AMF0.
pub const DATA: u8 = 18;
/// A shared object, AMF0.
pub const SHARED_OBJECT: u8 = 19;
/// A command, AMF0.
pub const COMMAND: u8 = 20;
/// An aggregate of FLV tags.
pub const AGGREGATE: u8 = 22;
