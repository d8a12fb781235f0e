use berth_spec::{Descriptor, Manifest, MediaType};
use serde_json::Value;

use crate::manifest_walk::{Content, Walk, walk};

/// A `Content-Type` (or nothing), a line break, and a manifest: what is read of it is what an
/// independent walk over the JSON finds, and what is refused has no such walk.
pub fn manifests(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (first, content) = input.split_at(end.unwrap_or(0));
    let content = content.strip_prefix(b"\n").unwrap_or(content);
    let content_type = match first {
        b"" => None,
        first => match MediaType::from_content_type(&String::from_utf8_lossy(first)) {
            Ok(media_type) => Some(media_type),
            Err(_) => return,
        },
    };
    let json = serde_json::from_slice::<Value>(content);
    let json = match json {
        Ok(json) => Some(json),
        Err(error) if is_valid_all_the_same(&error) => return no_panic(content_type, content),
        Err(_) => None,
    };
    let known = content_type.as_ref().map(MediaType::as_str);
    let walked = json.as_ref().and_then(|json| walk(known, json));
    match Manifest::parse(content_type.as_ref(), content) {
        Ok(manifest) => {
            assert_eq!(Some(of(&manifest)), walked);
            descriptors_stay_the_same(&manifest);
        }
        Err(error) => {
            // Of what is given twice, the walk sees only the last.
            let has_all = json.is_some_and(|json| members(&json) == members_of_text(content));
            assert!(!has_all || walked.is_none(), "refused: {error}");
        }
    }
}

/// What serde_json refuses to keep, but is JSON: where no field of a manifest is, it is skipped.
fn is_valid_all_the_same(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    [
        "recursion limit exceeded",
        "number out of range",
        "lone leading surrogate",
        "unexpected end of hex escape",
    ]
    .iter()
    .any(|reason| text.starts_with(reason))
}

fn no_panic(content_type: Option<MediaType>, content: &[u8]) {
    if let Err(error) = Manifest::parse(content_type.as_ref(), content) {
        assert!(!error.to_string().is_empty());
    }
}

/// How many members all objects have together.
fn members(json: &Value) -> usize {
    match json {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(array) => array.iter().map(members).sum(),
        _ => 0,
    }
}

/// The same of valid JSON, where those that are given twice count twice: a colon for each.
fn members_of_text(text: &[u8]) -> usize {
    let mut colons = 0;
    let mut in_string = false;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' => drop(bytes.next()),
            b':' if !in_string => colons += 1,
            _ => {}
        }
    }
    colons
}

fn of(manifest: &Manifest) -> Walk {
    Walk {
        media_type: manifest.media_type().to_string(),
        blobs: manifest.blobs().map(content).collect(),
        children: manifest.children().map(content).collect(),
        subject: manifest.subject().map(content),
        artifact_type: manifest.artifact_type().map(str::to_owned),
        annotations: manifest.annotations().clone(),
    }
}

fn content(descriptor: &Descriptor) -> Content {
    let Descriptor {
        media_type,
        digest,
        size,
        ..
    } = descriptor;
    (media_type.clone(), digest.to_string(), *size)
}

/// Lists of referrers hold descriptors that the registry writes.
fn descriptors_stay_the_same(manifest: &Manifest) {
    for descriptor in manifest.blobs().chain(manifest.children()) {
        let written = serde_json::to_string(descriptor).unwrap();
        let read: Descriptor = serde_json::from_str(&written).unwrap();
        assert_eq!(&read, descriptor);
    }
}
