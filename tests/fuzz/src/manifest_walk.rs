//! A manifest, walked over as plain JSON.

use std::collections::BTreeMap;

use berth_spec::media_types;
use serde_json::{Map, Value};

use crate::grammar;

/// What a registry must know of a manifest.
#[derive(Debug, PartialEq)]
pub(crate) struct Walk {
    pub(crate) media_type: String,
    pub(crate) blobs: Vec<Content>,
    pub(crate) children: Vec<Content>,
    pub(crate) subject: Option<Content>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a descriptor names: media type, digest and size.
pub(crate) type Content = (String, String, u64);

type Object = Map<String, Value>;

/// None if it is no manifest that the registry stores.
pub(crate) fn walk(content_type: Option<&str>, json: &Value) -> Option<Walk> {
    let manifest = json.as_object()?;
    let media_type = media_type(content_type, text(manifest, "mediaType")?)?;
    let is = |known: &str| media_type.eq_ignore_ascii_case(known);
    let is_oci = is(media_types::OCI_IMAGE_MANIFEST) || is(media_types::OCI_IMAGE_INDEX);
    let is_image = is(media_types::OCI_IMAGE_MANIFEST) || is(media_types::DOCKER_MANIFEST);
    let is_index = is(media_types::OCI_IMAGE_INDEX) || is(media_types::DOCKER_MANIFEST_LIST);
    let is_version_2 = manifest.get("schemaVersion").and_then(Value::as_u64) == Some(2);
    let is_schema_1 = present(manifest, "fsLayers").is_some();
    if !(is_image || is_index) || !is_version_2 || is_schema_1 {
        return None;
    }
    let config = optional(manifest, "config")?;
    let layers = list(manifest, "layers")?;
    let children = list(manifest, "manifests")?;
    let subject = optional(manifest, "subject")?;
    let annotations = annotations(manifest)?;
    let artifact_type = text(manifest, "artifactType")?;
    let is_complete = match is_image {
        true => config.is_some() && layers.is_some() && children.is_none(),
        false => config.is_none() && layers.is_none() && children.is_some(),
    };
    if !is_complete {
        return None;
    }
    let of_config = config.as_ref().map(|(media_type, ..)| media_type.clone());
    Some(Walk {
        media_type,
        blobs: config
            .into_iter()
            .chain(layers.unwrap_or_default())
            .collect(),
        children: children.unwrap_or_default(),
        subject: subject.filter(|_| is_oci),
        artifact_type: artifact_type.filter(|text| !text.is_empty()).or(of_config),
        annotations,
    })
}

/// The field's, if it is there; the two must agree.
fn media_type(content_type: Option<&str>, field: Option<String>) -> Option<String> {
    let field = field.filter(|text| !text.is_empty());
    let is_valid = |text: &String| grammar::is_media_type(text);
    match (content_type, field) {
        (Some(content_type), Some(field)) => {
            let agree = content_type.eq_ignore_ascii_case(&field);
            Some(field).filter(|_| agree)
        }
        (content_type, field) => field.or(content_type.map(str::to_owned)).filter(is_valid),
    }
}

/// A field's value; `null` is as if it were not there.
fn present<'a>(object: &'a Object, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

/// A text that may be missing, but must be a text: outer none if it is not.
fn text(object: &Object, field: &str) -> Option<Option<String>> {
    match present(object, field) {
        None => Some(None),
        Some(value) => Some(Some(value.as_str()?.to_owned())),
    }
}

fn optional(manifest: &Object, field: &str) -> Option<Option<Content>> {
    match present(manifest, field) {
        None => Some(None),
        Some(value) => Some(Some(descriptor(value)?)),
    }
}

/// A list that is `null` is there, and empty.
fn list(manifest: &Object, field: &str) -> Option<Option<Vec<Content>>> {
    match manifest.get(field) {
        None => Some(None),
        Some(Value::Null) => Some(Some(Vec::new())),
        Some(value) => value
            .as_array()?
            .iter()
            .map(descriptor)
            .collect::<Option<_>>()
            .map(Some),
    }
}

fn descriptor(value: &Value) -> Option<Content> {
    let object = value.as_object()?;
    let media_type = object.get("mediaType")?.as_str()?;
    let digest = object.get("digest")?.as_str()?;
    let size = object.get("size")?.as_u64()?;
    text(object, "data")?;
    text(object, "artifactType")?;
    annotations(object)?;
    urls(object)?;
    platform(object)?;
    let is_valid = !media_type.is_empty() && grammar::is_digest(digest);
    is_valid.then(|| (media_type.to_owned(), digest.to_owned(), size))
}

fn urls(object: &Object) -> Option<()> {
    let Some(value) = present(object, "urls") else {
        return Some(());
    };
    value.as_array()?.iter().all(Value::is_string).then_some(())
}

fn platform(object: &Object) -> Option<()> {
    let Some(value) = present(object, "platform") else {
        return Some(());
    };
    let platform = value.as_object()?;
    let is_text = |field| platform.get(field).is_none_or(Value::is_string);
    text(platform, "variant")?;
    (is_text("architecture") && is_text("os")).then_some(())
}

fn annotations(object: &Object) -> Option<BTreeMap<String, String>> {
    let Some(value) = present(object, "annotations") else {
        return Some(BTreeMap::new());
    };
    let annotations = value.as_object()?.iter();
    annotations
        .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
