//! Live streams in memory: a log with cursors.
