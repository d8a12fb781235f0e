use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::Digest;
use crate::object::read_as_object;

/// A descriptor of the OCI Image Specification: names content by media type, digest and size.
///
/// Media types stay plain text here: a descriptor belongs to the client, and the registry stores
/// and returns the client's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    remote = "Self",
    rename_all = "camelCase",
    expecting = "a descriptor, which is an object"
)]
pub struct Descriptor {
    /// The media type of the content.
    #[serde(deserialize_with = "media_type")]
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size of the content, in bytes.
    pub size: u64,
    /// Where else the content may be downloaded from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// Free metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// The content itself, in base64, where it is embedded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What an image of an index runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The type of artifact that the content is a manifest of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// The platform that an image of an index runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", expecting = "a platform, which is an object")]
pub struct Platform {
    /// The processor architecture, such as `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// The operating system, such as `linux`.
    #[serde(default)]
    pub os: String,
    /// The variant of the processor, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

read_as_object!(Descriptor, Platform);

fn media_type<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let media_type = String::deserialize(value)?;
    if media_type.is_empty() {
        return Err(D::Error::custom("the mediaType of a descriptor is empty"));
    }
    Ok(media_type)
}

impl Descriptor {
    /// A descriptor with nothing but what every descriptor has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: None,
            annotations: None,
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    /// Whether this is a layer that registries need not hold: an OCI non-distributable layer or
    /// a Docker foreign layer.
    pub fn is_non_distributable(&self) -> bool {
        const PREFIXES: [&str; 2] = [
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ];
        // Case says nothing in a media type.
        let media_type = self.media_type.to_ascii_lowercase();
        PREFIXES.iter().any(|prefix| media_type.starts_with(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<Descriptor, String> {
        serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut descriptor = Descriptor::new("a/b", Digest::sha256(b"c"), 1);
        descriptor.platform = Some(Platform {
            architecture: "arm64".to_owned(),
            os: "linux".to_owned(),
            variant: Some("v8".to_owned()),
        });
        let written = serde_json::to_value(&descriptor).unwrap();
        assert_eq!(written["mediaType"], "a/b");
        assert_eq!(written["platform"]["variant"], "v8");
        assert_eq!(read(&written), Ok(descriptor));
    }

    #[test]
    fn descriptors_and_platforms_are_objects() {
        let digest = Digest::sha256(b"c");
        let said = read(&json!(["a/b", digest, 1])).unwrap_err();
        assert!(said.contains("a descriptor, which is an object"), "{said}");
        let mut descriptor = json!({"mediaType": "a/b", "digest": digest, "size": 1});
        descriptor["platform"] = json!(["amd64", "linux"]);
        let said = read(&descriptor).unwrap_err();
        assert!(said.contains("a platform, which is an object"), "{said}");
        descriptor["platform"] = json!({"architecture": "amd64", "os": "linux"});
        assert!(read(&descriptor).is_ok());
    }

    #[test]
    fn layers_that_need_not_be_held_are_known_in_any_case() {
        let of = |media_type: &str| Descriptor::new(media_type, Digest::sha256(b"c"), 1);
        for media_type in [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/VND.OCI.image.layer.nonDistributable.v1.tar",
            "application/vnd.docker.image.rootfs.Foreign.diff.tar.gzip",
        ] {
            assert!(of(media_type).is_non_distributable(), "{media_type}");
        }
        assert!(!of("application/vnd.oci.image.layer.v1.tar").is_non_distributable());
    }

    #[test]
    fn a_descriptor_has_a_media_type() {
        let digest = Digest::sha256(b"c");
        let said = read(&json!({"mediaType": "", "digest": digest, "size": 1})).unwrap_err();
        assert!(said.contains("mediaType"), "{said}");
        assert!(read(&json!({"digest": digest, "size": 1})).is_err());
    }
}
