//! MP4 as frames.
