//! Handshakes over real connections, with certificates made for each test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authority;
mod client;
mod client_certificates;
mod files;
mod handshakes;
mod reload;
mod server;
