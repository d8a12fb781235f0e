#![forbid(unsafe_code)]

mod error;
mod store;

pub use error::MetadataError;
pub use store::{
    Blob, MetadataStore, NewManifest, PutManifest, Referrer, StoredManifest, UploadRecord,
};
