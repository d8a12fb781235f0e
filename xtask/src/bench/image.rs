use berth_spec::{Digest, media_types};
use serde_json::{Value, json};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A blob that is known by its digest.
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// The manifest of an image, and its config.
pub(super) struct Image {
    pub(super) config: Vec<u8>,
    pub(super) config_digest: Digest,
    pub(super) manifest: Vec<u8>,
    pub(super) digest: Digest,
}

impl Image {
    /// An image of these layers. Images of different names differ.
    pub(super) fn new(name: &str, layers: &[Blob]) -> Self {
        Self::with(name, layers, None)
    }

    /// An image of no layers that refers to another.
    pub(super) fn referring_to(name: &str, subject: &Self) -> Self {
        let descriptor = json!({
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "digest": subject.digest,
            "size": subject.manifest.len(),
        });
        Self::with(name, &[], Some(descriptor))
    }

    fn with(name: &str, layers: &[Blob], subject: Option<Value>) -> Self {
        let layer_digests: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "author": name,
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": layer_digests },
        });
        let config = config.to_string().into_bytes();
        let config_digest = Digest::sha256(&config);
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| json!({ "mediaType": LAYER, "digest": layer.digest, "size": layer.size }))
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config_digest, "size": config.len() },
            "layers": layers,
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject;
        }
        let manifest = manifest.to_string().into_bytes();
        Self {
            config,
            config_digest,
            digest: Digest::sha256(&manifest),
            manifest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_different_names_differ() {
        let (a, b) = (Image::new("a", &[]), Image::new("b", &[]));
        assert_ne!(a.config_digest, b.config_digest);
        assert_ne!(a.digest, b.digest);
        let referrer = Image::referring_to("a", &b);
        let manifest: Value = serde_json::from_slice(&referrer.manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], b.digest.as_str());
        assert_eq!(manifest["config"]["digest"], a.config_digest.as_str());
    }
}
