//! What the configuration records and headers of each codec say.
