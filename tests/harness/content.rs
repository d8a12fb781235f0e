use berth_spec::Digest;
use serde_json::{Value, json};

use super::{Answer, Berth};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub(crate) fn digest(content: &[u8]) -> String {
    Digest::sha256(content).to_string()
}

/// Bytes that differ for each seed, and do not repeat.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A manifest, and the blobs that it needs.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    pub(crate) layer: Vec<u8>,
}

impl Image {
    /// An image of its own for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, &json!({}))
    }

    /// An image whose manifest has these fields too.
    pub(crate) fn with(seed: u64, fields: &Value) -> Self {
        let config = json!({ "architecture": "amd64", "os": "linux", "seed": seed })
            .to_string()
            .into_bytes();
        let layer = noise(seed, 1000);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, &config),
            "layers": [descriptor(OCI_LAYER, &layer)],
        });
        for (name, value) in fields.as_object().unwrap() {
            manifest[name] = value.clone();
        }
        // As a human would write it: no client's own form of JSON.
        let manifest = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
        Self {
            manifest: manifest.into_bytes(),
            config,
            layer,
        }
    }

    pub(crate) fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// What a manifest that refers to this one says of it.
    pub(crate) fn descriptor(&self) -> Value {
        descriptor(OCI_MANIFEST, &self.manifest)
    }
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

/// An index of these images.
pub(crate) fn index(images: &[&Image]) -> Vec<u8> {
    let manifests: Vec<Value> = images.iter().map(|image| image.descriptor()).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    index.to_string().into_bytes()
}

/// Pushing, as clients do it.
pub(crate) trait Push {
    /// Begins an upload session and answers its URL.
    fn begin(&self, repository: &str) -> String;
    /// Pushes a blob and answers its digest.
    fn push_blob(&self, repository: &str, content: &[u8]) -> String;
    /// Pushes the blobs of an image.
    fn push_blobs_of(&self, repository: &str, image: &Image);
    /// Pushes an image with a tag.
    fn push(&self, repository: &str, tag: &str, image: &Image) -> Answer;
}

impl Push for Berth {
    fn begin(&self, repository: &str) -> String {
        let answer = self
            .post(&format!("/v2/{repository}/blobs/uploads/"))
            .is(202);
        answer.header("location").to_owned()
    }

    fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        let digest = digest(content);
        let session = self.begin(repository);
        self.patch(&session, content).is(202);
        self.put(&format!("{session}?digest={digest}"), []).is(201);
        digest
    }

    fn push_blobs_of(&self, repository: &str, image: &Image) {
        self.push_blob(repository, &image.config);
        self.push_blob(repository, &image.layer);
    }

    fn push(&self, repository: &str, tag: &str, image: &Image) -> Answer {
        self.push_blobs_of(repository, image);
        let path = format!("/v2/{repository}/manifests/{tag}");
        self.put_manifest(&path, OCI_MANIFEST, image.manifest.clone())
            .is(201)
    }
}
