//! The RTMP conversation, server and client, sans-I/O.
