//! The Action Message Format: AMF0 and AMF3.
