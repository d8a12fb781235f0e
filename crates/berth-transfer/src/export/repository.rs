use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use berth_metadata::RepositoryContents;
use berth_registry::Content;
use berth_spec::{Descriptor, Digest, MediaType, RepositoryName, media_types};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use tokio::sync::OnceCell;

use super::folder::{ExportFolder, Written};
use crate::layout::REF_NAME;
use crate::reading::{ReadManifest, read};
use crate::source::{FoundBlob, Sought, Source};
use crate::tally::Tally;
use crate::{Finding, RegistrySource, TransferError};

/// How many manifests are exported at once, with their blobs.
const TOGETHER: usize = 8;

/// The export of one repository.
pub(super) struct ExportedRepository<'a> {
    source: &'a RegistrySource,
    folder: &'a ExportFolder,
    name: &'a RepositoryName,
    tally: &'a Tally<'a>,
    /// Each blob is looked at once: whether the layout has it.
    blobs: Mutex<HashMap<Digest, Arc<OnceCell<bool>>>>,
}

/// A manifest that the layout has.
struct Exported {
    media_type: MediaType,
    size: u64,
}

impl<'a> ExportedRepository<'a> {
    pub(super) fn new(
        source: &'a RegistrySource,
        folder: &'a ExportFolder,
        name: &'a RepositoryName,
        tally: &'a Tally<'a>,
    ) -> Self {
        Self {
            source,
            folder,
            name,
            tally,
            blobs: Mutex::default(),
        }
    }

    pub(super) async fn write(&self) -> Result<(), TransferError> {
        let contents = self.source.contents(self.name).await?;
        self.tally.expect(contents.manifests.len());
        self.folder.make_layout(self.name).await?;
        let digests = contents.manifests.iter().map(|entry| entry.digest.clone());
        let digests: Vec<_> = digests.collect();
        let writing = stream::iter(digests).map(|digest| self.write_manifest(digest));
        let written: Vec<_> = writing.buffered(TOGETHER).try_collect().await?;
        let exported: HashMap<_, _> = written.into_iter().flatten().collect();
        let entries = self.entries(&contents, &exported);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_INDEX,
            "manifests": entries,
        });
        let index = index.to_string().into_bytes();
        self.folder.write_index(self.name, index).await
    }

    /// What the index lists: what has no tag and is in no other, so that it can be found; referrers, which are looked for there; and
    /// then the tags, the one that was set last at the end.
    fn entries(
        &self,
        contents: &RepositoryContents,
        exported: &HashMap<Digest, Exported>,
    ) -> Vec<Descriptor> {
        let describe = |digest: &Digest| {
            let Exported { media_type, size } = exported.get(digest)?;
            let media_type = media_type.as_str();
            Some(Descriptor::new(media_type, digest.clone(), *size))
        };
        let parents = contents.manifests.iter();
        let parents = parents.filter(|entry| exported.contains_key(&entry.digest));
        let children: HashSet<&Digest> = parents.flat_map(|entry| &entry.children).collect();
        let tagged: HashSet<&Digest> = contents.tags.iter().map(|entry| &entry.digest).collect();
        let roots = contents.manifests.iter().filter(|entry| {
            let is_found = entry.subject.is_none() && children.contains(&entry.digest);
            !is_found && !tagged.contains(&entry.digest)
        });
        let roots = roots.map(|entry| &entry.digest);
        let mut entries: Vec<Descriptor> = roots.filter_map(describe).collect();
        let mut tags: Vec<_> = contents.tags.iter().collect();
        tags.sort_by_key(|entry| entry.updated_at);
        for entry in tags {
            let Some(mut descriptor) = describe(&entry.digest) else {
                self.tally.found(&Finding::TagLeftOut {
                    repository: self.name.clone(),
                    tag: entry.tag.clone(),
                    manifest: entry.digest.clone(),
                });
                continue;
            };
            let name = (REF_NAME.to_owned(), entry.tag.to_string());
            descriptor.annotations = Some(BTreeMap::from([name]));
            entries.push(descriptor);
            self.tally.report().tags += 1;
        }
        entries
    }

    async fn write_manifest(
        &self,
        digest: Digest,
    ) -> Result<Option<(Digest, Exported)>, TransferError> {
        let sought = self.source.manifest(self.name, &digest).await?;
        let exported = match read(self.name, &digest, sought).await? {
            Ok(manifest) => self.write_read(&digest, manifest).await?,
            Err(finding) => {
                self.tally.found(&finding);
                None
            }
        };
        self.tally.advance();
        Ok(exported.map(|exported| (digest, exported)))
    }

    async fn write_read(
        &self,
        digest: &Digest,
        manifest: ReadManifest,
    ) -> Result<Option<Exported>, TransferError> {
        let references = &manifest.references;
        let blobs = references.required_blobs.iter().map(|blob| (blob, true));
        let optional = references.optional_blobs.iter().map(|blob| (blob, false));
        for (blob, is_required) in blobs.chain(optional) {
            if !self.write_blob(blob).await? && is_required {
                self.tally.found(&Finding::Incomplete {
                    repository: self.name.clone(),
                    manifest: digest.clone(),
                    missing: blob.clone(),
                });
                return Ok(None);
            }
        }
        let size = manifest.content.len() as u64;
        let written = self.write_content(digest, manifest.content).await?;
        let mut report = self.tally.report();
        match written {
            Written::Kept => report.kept += 1,
            _ => report.manifests += 1,
        }
        Ok(Some(Exported {
            media_type: manifest.media_type,
            size,
        }))
    }

    async fn write_content(
        &self,
        digest: &Digest,
        content: Bytes,
    ) -> Result<Written, TransferError> {
        let size = content.len() as u64;
        let body = Content::from_bytes(content).body;
        self.folder.write(self.name, digest, size, body).await
    }

    async fn write_blob(&self, digest: &Digest) -> Result<bool, TransferError> {
        let cell = {
            let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(blobs.entry(digest.clone()).or_default())
        };
        let written = cell.get_or_try_init(|| self.write_blob_now(digest));
        written.await.copied()
    }

    async fn write_blob_now(&self, digest: &Digest) -> Result<bool, TransferError> {
        let FoundBlob { size, body, place } = match self.source.blob(self.name, digest).await? {
            Sought::Found(found) => found,
            // Whoever needs it tells.
            Sought::Missing => return Ok(false),
            Sought::Unreadable { place, error } => {
                self.tally.found(&Finding::unreadable(place, error));
                return Ok(false);
            }
        };
        let finding = match self.folder.write(self.name, digest, size, body).await? {
            Written::Kept => {
                self.tally.report().kept += 1;
                return Ok(true);
            }
            Written::Linked => {
                self.tally.report().mounted += 1;
                return Ok(true);
            }
            Written::Copied => {
                let mut report = self.tally.report();
                report.blobs += 1;
                report.bytes += size;
                return Ok(true);
            }
            Written::Damaged(found) => Finding::Damaged {
                repository: self.name.clone(),
                digest: digest.clone(),
                found,
                place,
            },
            Written::Unreadable(error) => Finding::unreadable(place, error),
        };
        self.tally.found(&finding);
        Ok(false)
    }
}
