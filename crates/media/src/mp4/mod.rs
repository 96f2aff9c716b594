//! MP4: files in, fragments out.
