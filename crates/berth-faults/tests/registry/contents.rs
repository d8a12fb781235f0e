use std::sync::LazyLock;

use berth_spec::{Algorithm, Digest, RepositoryName, Tag, media_types};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) static HERE: LazyLock<RepositoryName> = LazyLock::new(|| "here".parse().unwrap());
pub(crate) static THERE: LazyLock<RepositoryName> = LazyLock::new(|| "there".parse().unwrap());
/// It may hold one layer.
pub(crate) static NARROW: LazyLock<RepositoryName> = LazyLock::new(|| "narrow".parse().unwrap());

pub(crate) const CONFIG: &str = "the config of an image";
pub(crate) const LAYER: &str = "the layer of an image, in a few words";
pub(crate) const OTHER: &str = "the layer of another image";
pub(crate) const UNUSED: &str = "what no image needs";

/// All blobs that there can be.
pub(crate) fn all_blobs() -> Vec<(Digest, &'static str)> {
    let contents = [CONFIG, LAYER, OTHER, UNUSED];
    let by_sha512 = (by_sha512(LAYER), LAYER);
    let by_sha256 = contents.map(|content| (digest(content), content));
    by_sha256.into_iter().chain([by_sha512]).collect()
}

pub(crate) fn digest(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

/// The digest by which a push that begins with another algorithm ends.
pub(crate) fn by_sha512(content: &str) -> Digest {
    Digest::of(Algorithm::Sha512, content.as_bytes())
}

pub(crate) fn tags<const N: usize>(names: [&str; N]) -> [Tag; N] {
    names.map(|name| name.parse().unwrap())
}

/// The manifest of an image.
pub(crate) fn image(config: &str, layers: &[&str]) -> Bytes {
    image_by("nobody in particular", config, layers)
}

/// The manifest of an image that nobody else makes.
pub(crate) fn image_by(author: &str, config: &str, layers: &[&str]) -> Bytes {
    let layer = |content: &&str| descriptor("application/vnd.oci.image.layer.v1.tar", content);
    let image = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        "annotations": {"org.opencontainers.image.authors": author},
    });
    image.to_string().into()
}

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
}
