//! Backups of real stores, and what is restored from them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod backups;
mod generations;
mod interrupted;
mod restored;
mod serving;
mod world;
