use std::collections::HashSet;

use crate::{Descriptor, Digest, Manifest, ManifestKind};

/// What a registry must hold for a manifest to be whole. Each digest is there once, whatever number of
/// times the manifest names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Blobs that must be there.
    pub required_blobs: Vec<Digest>,
    /// Blobs that may be absent: non-distributable layers.
    pub optional_blobs: Vec<Digest>,
    /// Manifests that must be there.
    pub manifests: Vec<Digest>,
}

impl Manifest {
    /// What must be there for it to be whole. Its subject is none of that: it may come later, or never.
    pub fn references(&self) -> References {
        let (optional_blobs, mut required_blobs) =
            split(self.blobs(), Descriptor::is_non_distributable);
        let (manifests, listed_blobs) = split(self.children(), is_manifest);
        required_blobs.extend(listed_blobs);
        // A manifest can name the same content thousands of times.
        References {
            required_blobs: each_once(required_blobs),
            optional_blobs: each_once(optional_blobs),
            manifests: each_once(manifests),
        }
    }
}

/// Indexes may list blobs too: build caches do.
fn is_manifest(descriptor: &Descriptor) -> bool {
    ManifestKind::of(&descriptor.media_type).is_some()
}

fn each_once(mut digests: Vec<Digest>) -> Vec<Digest> {
    let mut seen = HashSet::new();
    digests.retain(|digest| seen.insert(digest.clone()));
    digests
}

fn split<'a>(
    descriptors: impl Iterator<Item = &'a Descriptor>,
    which: impl Fn(&Descriptor) -> bool,
) -> (Vec<Digest>, Vec<Digest>) {
    let (chosen, rest): (Vec<_>, Vec<_>) = descriptors.partition(|descriptor| which(descriptor));
    let digests = |descriptors: Vec<&Descriptor>| {
        descriptors
            .into_iter()
            .map(|descriptor| descriptor.digest.clone())
            .collect()
    };
    (digests(chosen), digests(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media_types;
    use serde_json::{Value, json};

    fn descriptor(media_type: &str, content: &str) -> Value {
        let digest = Digest::sha256(content.as_bytes());
        json!({"mediaType": media_type, "digest": digest, "size": content.len()})
    }

    fn references(manifest: &Value) -> References {
        let content = manifest.to_string();
        Manifest::parse(None, content.as_bytes())
            .unwrap()
            .references()
    }

    fn digests(contents: &[&str]) -> Vec<Digest> {
        let digest = |content: &&str| Digest::sha256(content.as_bytes());
        contents.iter().map(digest).collect()
    }

    #[test]
    fn an_image_needs_its_blobs_but_for_those_that_registries_need_not_hold() {
        const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
        const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
        let found = references(&json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", "config"),
            "layers": [descriptor(LAYER, "1"), descriptor(FOREIGN, "2"), descriptor(LAYER, "1")],
            "subject": descriptor(media_types::OCI_IMAGE_MANIFEST, "subject"),
        }));
        assert_eq!(found.required_blobs, digests(&["config", "1"]));
        assert_eq!(found.optional_blobs, digests(&["2"]));
        assert_eq!(found.manifests, []);
    }

    #[test]
    fn an_index_needs_manifests_and_whatever_else_it_lists() {
        let image = descriptor(media_types::OCI_IMAGE_MANIFEST, "image");
        let found = references(&json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_INDEX,
            "manifests": [image, descriptor("application/vnd.example.cache", "cache"), image],
        }));
        assert_eq!(found.required_blobs, digests(&["cache"]));
        assert_eq!(found.optional_blobs, []);
        assert_eq!(found.manifests, digests(&["image"]));
    }
}
