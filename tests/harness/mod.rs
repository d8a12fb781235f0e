//! The real binary, and what a client does with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod berth;
mod client;
mod content;
mod disk;
mod process;
mod raw;
mod wait;

pub(crate) use answer::Answer;
pub(crate) use berth::Berth;
pub(crate) use client::{client, client_trusting};
pub(crate) use content::{
    DOCKER_MANIFEST, Image, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Push, descriptor,
    digest, index, noise,
};
pub(crate) use disk::Disk;
pub(crate) use process::{maps_of, open_files, open_sockets, own_memory, peak_memory};
pub(crate) use raw::Connection;
pub(crate) use wait::wait_until;
