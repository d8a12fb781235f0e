//! The real binary, and what a client does with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod berth;
mod content;
mod raw;

pub(crate) use answer::Answer;
pub(crate) use berth::{Berth, open_sockets, peak_memory};
pub(crate) use content::{
    DOCKER_MANIFEST, Image, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Push, descriptor,
    digest, index, noise,
};
pub(crate) use raw::Connection;
