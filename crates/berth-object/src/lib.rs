#![forbid(unsafe_code)]
#![doc = "x"]

mod blobs;
mod client;
mod connect;
mod copy;
mod error;
mod layout;
mod parts;
mod publish;
mod reading;
mod record;
mod removal;
mod settings;
mod shared;
mod staging;

pub use blobs::ObjectBlobs;
pub use connect::ConnectError;
pub use object_store;
pub use settings::{Requests, Settings};
pub use shared::Bucket;
