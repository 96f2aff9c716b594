//! Sockets, files, HTTP and operators.
