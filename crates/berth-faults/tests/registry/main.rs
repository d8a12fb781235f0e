//! Whatever goes wrong at whichever step of whatever a registry does: what was acknowledged is there
//! after a restart, nothing is there by half, and the same can be done again.
//!
//! Each module that is named after an operation has its scenarios. Each scenario is tried with each fault at each of
//! its steps ([`every_fault`]), and left at each of its steps ([`left`]). In [`rivals`], two of them meet in
//! every order, and in [`together`] all of them in a random one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collect;
mod contents;
mod delete;
mod every_fault;
mod expire;
mod folder;
mod head;
mod left;
mod manifest;
mod mount;
mod process;
mod push;
mod refused;
mod retention;
mod rivals;
mod scenario;
mod seen;
mod session;
mod tidy;
mod together;
