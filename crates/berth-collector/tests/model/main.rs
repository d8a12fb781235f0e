//! The protocol of garbage collection against a model checker: what clients, collections, sweeps,
//! verification and backups do, step by step, in every order, with errors and crashes between any two
//! steps. `docs/garbage-collection.md` says in words what this checks.
//!
//! The model knows nothing of the code. That the code takes these steps in this order is for the other
//! tests to show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod flaws;
mod it_loses_nothing;
mod possibilities;
mod properties;
mod protocol;
mod push;
mod removal;
mod requests;
mod state;
mod without;
mod world;
