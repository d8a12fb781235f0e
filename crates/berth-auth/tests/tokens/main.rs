//! Bearer tokens: what is issued and accepted, and what no attack makes of it. The private keys in `keys` are for
//! these tests alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod forging;
mod key_rotation;
mod mutations;
mod oidc;
mod outages;
mod own_tokens;
mod signing_key_store;
mod token_requests;
mod token_server;
mod web;
