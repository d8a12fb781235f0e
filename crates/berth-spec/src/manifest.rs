use std::collections::BTreeMap;
use std::str::Utf8Error;

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use crate::object::ObjectOnly;
use crate::{Descriptor, MediaType, MediaTypeError, media_types};

/// The kinds of manifest that the registry stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// An OCI image manifest; also every artifact packaged as one.
    OciImage,
    /// An OCI image index.
    OciIndex,
    /// A Docker image manifest, version 2 schema 2.
    DockerImage,
    /// A Docker manifest list, version 2 schema 2.
    DockerList,
}

impl ManifestKind {
    const ALL: [Self; 4] = [
        Self::OciImage,
        Self::OciIndex,
        Self::DockerImage,
        Self::DockerList,
    ];

    /// The media type of this kind.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::OciImage => media_types::OCI_IMAGE_MANIFEST,
            Self::OciIndex => media_types::OCI_IMAGE_INDEX,
            Self::DockerImage => media_types::DOCKER_MANIFEST,
            Self::DockerList => media_types::DOCKER_MANIFEST_LIST,
        }
    }

    /// Whether it lists manifests rather than layers.
    pub fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerList)
    }

    /// The kind that has this media type, in whatever case it is written; none if it is not that
    /// of a manifest.
    pub fn of(media_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.media_type().eq_ignore_ascii_case(media_type))
    }
}

/// What a registry must know of a manifest: its kind, and what it refers to.
///
/// The bytes that were pushed stay with the caller: they are what is stored and what the digest is
/// of. Fields that the specification does not define are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    kind: ManifestKind,
    media_type: MediaType,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    children: Vec<Descriptor>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

/// Why bytes are not a manifest that the registry stores.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not UTF-8, so not JSON either.
    #[error("the manifest is not valid JSON: {0}")]
    Utf8(#[from] Utf8Error),
    /// The bytes are not JSON, or a field has the wrong form.
    #[error("the manifest is not valid JSON of its type: {0}")]
    Json(#[from] serde_json::Error),
    /// The `mediaType` field is not a media type.
    #[error("the manifest's mediaType field is invalid: {0}")]
    MediaType(#[from] MediaTypeError),
    /// Neither the request nor the manifest says what it is.
    #[error("the manifest has no media type: send a Content-Type, or set its mediaType field")]
    NoMediaType,
    /// The request and the manifest do not agree.
    #[error(
        "Content-Type {content_type} does not match the manifest's mediaType {media_type}; send the same in both"
    )]
    MediaTypeMismatch {
        /// What the request says.
        content_type: MediaType,
        /// What the manifest says.
        media_type: MediaType,
    },
    /// The media type is not one that the registry stores.
    #[error(
        "manifests of media type {0} are not supported; push an OCI image manifest or index, or a Docker schema 2 manifest or list"
    )]
    UnsupportedMediaType(MediaType),
    /// Docker schema 1 is obsolete.
    #[error(
        "Docker schema 1 manifests are obsolete and not supported; push the image again with a current client"
    )]
    Schema1,
    /// `schemaVersion` is not 2.
    #[error("the manifest's schemaVersion must be 2")]
    SchemaVersion,
    /// A field that the kind requires is missing.
    #[error("the manifest has no {0} field, which its media type requires")]
    MissingField(&'static str),
    /// A field of another kind is present: clients could read the bytes as either.
    #[error("the manifest has a {0} field, which its media type does not allow")]
    AmbiguousField(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a manifest, which is an object")]
struct Fields {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "list")]
    layers: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "list")]
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
    fs_layers: Option<IgnoredAny>,
}

/// A list that is there, `null` included: some clients write an empty list so.
fn list<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<Descriptor>>, D::Error> {
    let list = Option::<Vec<Descriptor>>::deserialize(value)?;
    Ok(Some(list.unwrap_or_default()))
}

impl Manifest {
    /// Reads a manifest, whose `Content-Type` (if the client sent one) must agree with its
    /// `mediaType` field (if it has one).
    ///
    /// # Errors
    /// When the bytes are not a valid manifest of a supported kind; the error says what to change.
    pub fn parse(content_type: Option<&MediaType>, content: &[u8]) -> Result<Self, ManifestError> {
        if let Some(content_type) = content_type {
            refuse_schema_1(content_type)?;
        }
        let fields = Fields::read(content)?;
        let media_type = fields.media_type(content_type)?;
        let Some(kind) = ManifestKind::of(media_type.as_str()) else {
            return Err(ManifestError::UnsupportedMediaType(media_type));
        };
        if fields.schema_version != Some(2) {
            return Err(ManifestError::SchemaVersion);
        }
        if kind.is_index() {
            Self::index(kind, media_type, fields)
        } else {
            Self::image(kind, media_type, fields)
        }
    }

    fn image(
        kind: ManifestKind,
        media_type: MediaType,
        fields: Fields,
    ) -> Result<Self, ManifestError> {
        if fields.manifests.is_some() {
            return Err(ManifestError::AmbiguousField("manifests"));
        }
        let config = fields.config.ok_or(ManifestError::MissingField("config"))?;
        let layers = fields.layers.ok_or(ManifestError::MissingField("layers"))?;
        let artifact_type =
            non_empty(fields.artifact_type).or_else(|| Some(config.media_type.clone()));
        Ok(Self {
            kind,
            media_type,
            config: Some(config),
            layers,
            children: Vec::new(),
            subject: subject(kind, fields.subject),
            artifact_type,
            annotations: fields.annotations.unwrap_or_default(),
        })
    }

    fn index(
        kind: ManifestKind,
        media_type: MediaType,
        fields: Fields,
    ) -> Result<Self, ManifestError> {
        if fields.layers.is_some() {
            return Err(ManifestError::AmbiguousField("layers"));
        }
        if fields.config.is_some() {
            return Err(ManifestError::AmbiguousField("config"));
        }
        let children = fields
            .manifests
            .ok_or(ManifestError::MissingField("manifests"))?;
        Ok(Self {
            kind,
            media_type,
            config: None,
            layers: Vec::new(),
            children,
            subject: subject(kind, fields.subject),
            artifact_type: non_empty(fields.artifact_type),
            annotations: fields.annotations.unwrap_or_default(),
        })
    }

    /// What kind of manifest it is.
    pub fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// The media type under which it was pushed, in the case in which it was written: that of its
    /// `mediaType` field, if it has one, because clients compare what they pull with that.
    pub fn media_type(&self) -> MediaType {
        self.media_type.clone()
    }

    /// The blobs that it refers to: the config, if it is an image, and then the layers in order.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }

    /// The manifests that an index lists; none for an image.
    pub fn children(&self) -> impl Iterator<Item = &Descriptor> {
        self.children.iter()
    }

    /// The manifest that this one says something about, if any: this one is its referrer.
    /// Docker's kinds have no such field.
    pub fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// The artifact type under which referrers are listed (end-12a): the field `artifactType`, else
    /// the media type of an image's config, else none.
    pub fn artifact_type(&self) -> Option<&str> {
        self.artifact_type.as_deref()
    }

    /// The annotations of the manifest itself.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }
}

impl Fields {
    fn read(content: &[u8]) -> Result<Self, ManifestError> {
        // serde_json does not look into the strings that it skips, so it would take bytes there
        // that no JSON has.
        let text = std::str::from_utf8(content)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = Self::deserialize(ObjectOnly(&mut json))?;
        json.end()?;
        Ok(fields)
    }

    fn media_type(&self, content_type: Option<&MediaType>) -> Result<MediaType, ManifestError> {
        if self.schema_version == Some(1) || self.fs_layers.is_some() {
            return Err(ManifestError::Schema1);
        }
        let declared = match self.media_type.as_deref() {
            None | Some("") => None,
            Some(text) => Some(text.parse::<MediaType>()?),
        };
        let media_type = match (content_type, declared) {
            (None, None) => return Err(ManifestError::NoMediaType),
            (Some(content_type), Some(media_type)) if !content_type.is(media_type.as_str()) => {
                return Err(ManifestError::MediaTypeMismatch {
                    content_type: content_type.clone(),
                    media_type,
                });
            }
            (_, Some(media_type)) => media_type,
            (Some(content_type), None) => content_type.clone(),
        };
        refuse_schema_1(&media_type)?;
        Ok(media_type)
    }
}

fn refuse_schema_1(media_type: &MediaType) -> Result<(), ManifestError> {
    let schema_1 = [
        media_types::DOCKER_SCHEMA_1,
        media_types::DOCKER_SCHEMA_1_SIGNED,
    ];
    if schema_1.iter().any(|known| media_type.is(known)) {
        return Err(ManifestError::Schema1);
    }
    Ok(())
}

fn subject(kind: ManifestKind, subject: Option<Descriptor>) -> Option<Descriptor> {
    subject.filter(|_| matches!(kind, ManifestKind::OciImage | ManifestKind::OciIndex))
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn descriptor(media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": Digest::sha256(media_type.as_bytes()), "size": 3})
    }

    fn image() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
        })
    }

    fn index() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_INDEX,
            "manifests": [descriptor(media_types::OCI_IMAGE_MANIFEST)],
        })
    }

    fn parse(content_type: Option<&str>, value: &Value) -> Result<Manifest, ManifestError> {
        let content_type = content_type.map(|text| text.parse().unwrap());
        Manifest::parse(content_type.as_ref(), value.to_string().as_bytes())
    }

    #[test]
    fn an_image_refers_to_its_config_and_layers() {
        let manifest = parse(None, &image()).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::OciImage);
        assert_eq!(manifest.blobs().count(), 2);
        assert_eq!(manifest.children().count(), 0);
        assert_eq!(
            manifest.artifact_type(),
            Some("application/vnd.oci.image.config.v1+json")
        );
    }

    #[test]
    fn an_index_refers_to_manifests() {
        let manifest = parse(Some(media_types::OCI_IMAGE_INDEX), &index()).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::OciIndex);
        assert_eq!(manifest.blobs().count(), 0);
        assert_eq!(manifest.children().count(), 1);
        assert_eq!(manifest.artifact_type(), None);
    }

    #[test]
    fn docker_kinds_are_known_and_have_no_subject() {
        let mut docker = image();
        docker["mediaType"] = media_types::DOCKER_MANIFEST.into();
        docker["subject"] = descriptor(media_types::OCI_IMAGE_MANIFEST);
        let manifest = parse(None, &docker).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::DockerImage);
        assert_eq!(manifest.subject(), None);
    }

    #[test]
    fn artifact_type_and_subject_are_read() {
        let mut artifact = image();
        artifact["artifactType"] = "application/vnd.example.sbom".into();
        artifact["subject"] = descriptor(media_types::OCI_IMAGE_MANIFEST);
        artifact["annotations"] = json!({"a": "b"});
        let manifest = parse(None, &artifact).unwrap();
        assert_eq!(
            manifest.artifact_type(),
            Some("application/vnd.example.sbom")
        );
        assert!(manifest.subject().is_some());
        assert_eq!(manifest.annotations()["a"], "b");
    }

    #[test]
    fn the_media_type_comes_from_either_place_and_must_agree() {
        let mut bare = image();
        bare.as_object_mut().unwrap().remove("mediaType");
        assert!(parse(Some(media_types::OCI_IMAGE_MANIFEST), &bare).is_ok());
        assert!(matches!(
            parse(None, &bare),
            Err(ManifestError::NoMediaType)
        ));
        assert!(matches!(
            parse(Some(media_types::DOCKER_MANIFEST), &image()),
            Err(ManifestError::MediaTypeMismatch { .. })
        ));
    }

    #[test]
    fn the_case_of_a_media_type_is_kept_and_says_nothing() {
        let shouted = media_types::OCI_IMAGE_MANIFEST.replace("vnd.oci", "VND.OCI");
        let manifest = parse(Some(&shouted), &image()).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::OciImage);
        assert_eq!(
            manifest.media_type().as_str(),
            media_types::OCI_IMAGE_MANIFEST
        );
        let mut declared = image();
        declared["mediaType"] = shouted.as_str().into();
        for content_type in [None, Some(media_types::OCI_IMAGE_MANIFEST)] {
            let manifest = parse(content_type, &declared).unwrap();
            assert_eq!(manifest.kind(), ManifestKind::OciImage);
            assert_eq!(manifest.media_type().as_str(), shouted);
        }
        let mut bare = image();
        bare.as_object_mut().unwrap().remove("mediaType");
        let manifest = parse(Some(&shouted), &bare).unwrap();
        assert_eq!(manifest.media_type().as_str(), shouted);
        let obsolete = media_types::DOCKER_SCHEMA_1.to_uppercase();
        assert!(matches!(
            parse(Some(&obsolete), &image()),
            Err(ManifestError::Schema1)
        ));
    }

    #[test]
    fn unknown_and_obsolete_kinds_are_refused() {
        let mut unknown = image();
        unknown["mediaType"] = "application/vnd.example+json".into();
        assert!(matches!(
            parse(None, &unknown),
            Err(ManifestError::UnsupportedMediaType(_))
        ));
        for content_type in [
            media_types::DOCKER_SCHEMA_1,
            media_types::DOCKER_SCHEMA_1_SIGNED,
        ] {
            let schema_1 = json!({"schemaVersion": 1, "fsLayers": []});
            assert!(matches!(
                parse(Some(content_type), &schema_1),
                Err(ManifestError::Schema1)
            ));
            assert!(matches!(
                parse(None, &schema_1),
                Err(ManifestError::Schema1)
            ));
        }
    }

    #[test]
    fn incomplete_and_ambiguous_manifests_are_refused() {
        for (field, value) in [
            ("schemaVersion", json!(3)),
            ("config", Value::Null),
            ("manifests", json!([])),
            (
                "layers",
                json!([{"mediaType": "a/b", "digest": "sha256:nonsense", "size": 1}]),
            ),
            (
                "layers",
                json!([{"mediaType": "a/b", "digest": Digest::sha256(b""), "size": -1}]),
            ),
            ("annotations", json!({"a": 1})),
        ] {
            let mut broken = image();
            broken[field] = value;
            assert!(parse(None, &broken).is_err(), "took {broken}");
        }
        for field in ["config", "layers"] {
            let mut both = index();
            both[field] = image()[field].clone();
            assert!(parse(None, &both).is_err(), "took {both}");
        }
        let mut bare = image();
        bare.as_object_mut().unwrap().remove("layers");
        assert!(matches!(
            parse(None, &bare),
            Err(ManifestError::MissingField("layers"))
        ));
        assert!(Manifest::parse(None, br#"{"schemaVersion":2,"schemaVersion":2}"#).is_err());
    }

    #[test]
    fn bytes_that_are_not_json_are_refused_wherever_they_are() {
        let text = image().to_string();
        let open = text.strip_suffix('}').unwrap();
        let with = |end: &[u8]| [open.as_bytes(), end].concat();
        assert!(Manifest::parse(None, &with(b",\"x\":\"y\"}")).is_ok());
        assert!(matches!(
            Manifest::parse(None, &with(b",\"x\":\"\xff\xfe\"}")),
            Err(ManifestError::Utf8(_))
        ));
        assert!(matches!(
            Manifest::parse(None, &with(b"} {}")),
            Err(ManifestError::Json(_))
        ));
    }

    #[test]
    fn arrays_are_no_manifests_and_no_descriptors() {
        let list = json!(["a/b", Digest::sha256(b""), 2]);
        for (field, value) in [
            ("config", list.clone()),
            ("layers", json!([list])),
            ("subject", list.clone()),
        ] {
            let mut broken = image();
            broken[field] = value;
            assert!(parse(None, &broken).is_err(), "took {broken}");
        }
        let mut broken = index();
        broken["manifests"] = json!([list]);
        assert!(parse(None, &broken).is_err(), "took {broken}");
        let fields = ["schemaVersion", "mediaType", "artifactType", "config"];
        let mut whole: Vec<_> = fields.iter().map(|field| image()[field].clone()).collect();
        whole.extend([
            json!([]),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
        let said = parse(None, &Value::Array(whole)).unwrap_err().to_string();
        assert!(said.contains("a manifest, which is an object"), "{said}");
    }

    #[test]
    fn an_empty_list_may_be_null() {
        let mut empty = image();
        empty["layers"] = Value::Null;
        assert_eq!(parse(None, &empty).unwrap().blobs().count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(content: Vec<u8>) {
            let _ = Manifest::parse(None, &content);
        }
    }
}
