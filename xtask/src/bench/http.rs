//! A client of HTTP/1.1 that costs little, because it shares the cores with what it measures.

mod chunked;
mod connection;
mod request;
mod response;

pub(super) use connection::{Answer, Connection};
pub(super) use request::{Body, Request};
