use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_spec::{Descriptor, Digest, ManifestKind, Tag, media_types};
use serde::Deserialize;
use serde_json::Value;

use crate::folder::{Folder, OpenFile};
use crate::source::{FoundManifest, Listing, Sought};
use crate::{Finding, MANIFEST_LIMIT};

/// The annotation of a descriptor in `index.json` that names a tag.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The file that says that a folder is a layout, and of which version.
pub(crate) const MARKER: &str = "oci-layout";

/// The file that lists manifests.
pub(crate) const INDEX: &str = "index.json";

/// The folder that has bytes.
pub(crate) const BLOBS: &str = "blobs";

/// The largest file `index.json` that is read, in bytes: some 200,000 entries.
const INDEX_LIMIT: u64 = 64 * 1024 * 1024;

/// An OCI image layout (image-spec, image-layout.md) in a folder, or below one.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) folder: Arc<Folder>,
    pub(crate) path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

#[derive(Deserialize)]
struct Index {
    /// Each is read by itself: one that makes no sense says nothing about the others.
    #[serde(default)]
    manifests: Option<Vec<Value>>,
}

impl Layout {
    /// Whether there is one. Blocks, as all of these do.
    pub(crate) fn is_there(folder: &Folder, path: &Path) -> bool {
        folder.has(&path.join(MARKER)) && folder.has(&path.join(INDEX))
    }

    pub(crate) fn listing(&self) -> io::Result<Listing> {
        self.check_version()?;
        let index: Index = serde_json::from_slice(&self.required(INDEX)?)?;
        let mut listing = Listing::default();
        for entry in index.manifests.unwrap_or_default() {
            self.read_entry(entry, &mut listing);
        }
        Ok(listing)
    }

    fn check_version(&self) -> io::Result<()> {
        let marker: Marker = serde_json::from_slice(&self.required(MARKER)?)?;
        let version = marker.image_layout_version;
        match version.starts_with("1.") {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "it is a layout of version {version:?}, and only 1 is known"
            ))),
        }
    }

    fn required(&self, name: &str) -> io::Result<Vec<u8>> {
        let content = self.folder.read(&self.path.join(name), INDEX_LIMIT)?;
        content.ok_or_else(|| io::Error::other(format!("it has no {name}")))
    }

    fn read_entry(&self, entry: Value, listing: &mut Listing) {
        let place = self.folder.path(&self.path.join(INDEX));
        let descriptor: Descriptor = match serde_json::from_value(entry) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                let place = format!("an entry of {}", place.display());
                listing.findings.push(Finding::unreadable(place, error));
                return;
            }
        };
        let digest = descriptor.digest;
        let place = format!("{digest} in {}", place.display());
        let media_type = descriptor.media_type;
        let is_schema_1 = [
            media_types::DOCKER_SCHEMA_1,
            media_types::DOCKER_SCHEMA_1_SIGNED,
        ]
        .contains(&media_type.as_str());
        if ManifestKind::of(&media_type).is_none() && !is_schema_1 {
            let why = format!("its media type {media_type} is not one of a manifest");
            listing.findings.push(Finding::passed_over(place, why));
            return;
        }
        let annotations = descriptor.annotations.unwrap_or_default();
        if let Some(name) = annotations.get(REF_NAME) {
            match name.parse::<Tag>() {
                Ok(tag) => listing.tags.push((tag, digest.clone())),
                Err(error) => {
                    let place = format!("the name of {place}");
                    listing.findings.push(Finding::passed_over(place, error));
                }
            }
        }
        listing.manifests.push(digest);
    }

    /// Where the bytes of a digest are.
    pub(crate) fn path_of(&self, digest: &Digest) -> PathBuf {
        let algorithm = digest.algorithm().as_str();
        self.path.join(BLOBS).join(algorithm).join(digest.hex())
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Sought<FoundManifest> {
        let path = self.path_of(digest);
        let content = self.folder.read(&path, MANIFEST_LIMIT);
        self.sought(&path, content).map(|content| FoundManifest {
            content: content.into(),
            media_type: None,
            place: self.folder.path(&path).display().to_string(),
        })
    }

    pub(crate) fn blob(&self, digest: &Digest) -> Sought<OpenFile> {
        let path = self.path_of(digest);
        self.sought(&path, self.folder.file(&path))
    }

    fn sought<T>(&self, path: &Path, found: io::Result<Option<T>>) -> Sought<T> {
        match found {
            Ok(Some(found)) => Sought::Found(found),
            Ok(None) => Sought::Missing,
            Err(error) => Sought::Unreadable {
                place: self.folder.path(path).display().to_string(),
                error: error.to_string(),
            },
        }
    }
}
