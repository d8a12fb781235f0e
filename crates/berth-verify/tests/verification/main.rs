//! What verification finds, over the in-memory stores and over SQLite and a folder.
#![allow(clippy::unwrap_used, clippy::panic)]

mod blobs;
mod manifests;
mod meanwhile;
mod pace;
mod world;
