//! Folders that other registries wrote, brought into a registry; exports, and migrations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damaged;
mod exports;
mod imports;
mod interrupted;
mod layouts;
mod migrations;
mod world;
