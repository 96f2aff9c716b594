//! FLV: tag bodies (shared with RTMP), files in and out.
