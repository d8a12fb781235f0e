//! TLS for a server.
#![forbid(unsafe_code)]
