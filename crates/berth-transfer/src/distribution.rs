use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName, Tag};

use crate::blocking::blocking;
use crate::folder::Folder;
use crate::pieces::found_blob;
use crate::source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};
use crate::walk::find_repositories;
use crate::{Finding, MANIFEST_LIMIT, TransferError};

/// Where the storage is below the root directory that its configuration names.
const STORAGE: &str = "docker/registry/v2";

/// The longest link, in bytes: a digest, and perhaps an end of line.
const LINK_LIMIT: u64 = 1024;

/// The folder of a [distribution](https://github.com/distribution/distribution) registry, of version 2 or 3.
///
/// What its server would serve is in links: files that hold a digest. `_manifests/revisions` has those of manifests,
/// `_layers` those of blobs, and `_manifests/tags` those of tags. What was deleted has no link any more, though its bytes
/// may still be there; it is not found here either.
#[derive(Clone, Debug)]
pub struct DistributionFolder {
    folder: Arc<Folder>,
    /// Where the storage is in the folder.
    storage: PathBuf,
}

impl DistributionFolder {
    /// Opens the root directory of the storage (`rootdirectory` in its configuration), or the folder `v2` in it.
    ///
    /// # Errors
    /// When there is no such storage.
    pub async fn open(path: &Path) -> Result<Self, TransferError> {
        let path = path.to_owned();
        blocking(move || Self::open_now(&path)).await?
    }

    fn open_now(path: &Path) -> Result<Self, TransferError> {
        let folder = Folder::open(path)?;
        let has_storage = |storage: &&str| folder.has(&Path::new(storage).join("repositories"));
        let storage = [STORAGE, ""].into_iter().find(has_storage);
        let storage = storage.ok_or_else(|| TransferError::NotA {
            path: path.to_owned(),
            expected: "the folder of a distribution registry: it has no docker/registry/v2/repositories; name the \
                 rootdirectory of its configuration",
        })?;
        Ok(Self {
            storage: PathBuf::from(storage),
            folder: Arc::new(folder),
        })
    }

    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, TransferError> {
        let this = self.clone();
        blocking(move || work(&this)).await
    }

    fn repository(&self, repository: &RepositoryName) -> PathBuf {
        self.storage.join("repositories").join(repository.as_str())
    }

    fn shown(&self, relative: &Path) -> String {
        self.folder.path(relative).display().to_string()
    }

    /// The digest that a link holds.
    fn link(&self, path: &Path) -> io::Result<Option<Digest>> {
        let Some(content) = self.folder.read(path, LINK_LIMIT)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&content);
        let digest = text.trim().parse().map_err(io::Error::other)?;
        Ok(Some(digest))
    }

    /// What a link leads to. The digest that it holds is the one under which the bytes are kept, which is of another
    /// algorithm than the link itself if they were pushed by another one.
    fn follow<T>(
        &self,
        link: &Path,
        open: impl FnOnce(&Path) -> io::Result<Option<T>>,
    ) -> Sought<T> {
        let unreadable = |path: &Path, error: io::Error| Sought::Unreadable {
            place: self.shown(path),
            error: error.to_string(),
        };
        let kept = match self.link(link) {
            Ok(Some(kept)) => kept,
            Ok(None) => return Sought::Missing,
            Err(error) => return unreadable(link, error),
        };
        let data = self
            .storage
            .join("blobs")
            .join(kept.algorithm().as_str())
            .join(&kept.hex()[..2])
            .join(kept.hex())
            .join("data");
        match open(&data) {
            Ok(Some(found)) => Sought::Found(found),
            Ok(None) => Sought::Missing,
            Err(error) => unreadable(&data, error),
        }
    }

    fn list(&self, repository: &RepositoryName) -> io::Result<Listing> {
        let mut listing = Listing::default();
        let manifests = self.repository(repository).join("_manifests");
        self.list_revisions(&manifests.join("revisions"), &mut listing)?;
        self.list_tags(repository, &manifests.join("tags"), &mut listing)?;
        Ok(listing)
    }

    fn list_revisions(&self, revisions: &Path, listing: &mut Listing) -> io::Result<()> {
        for algorithm in self.folder.folders(revisions)? {
            let path = revisions.join(&algorithm);
            for hex in self.folder.folders(&path)? {
                let path = path.join(&hex);
                // A revision that was deleted has a folder, and no link in it.
                if !self.folder.has(&path.join("link")) {
                    continue;
                }
                match format!("{algorithm}:{hex}").parse() {
                    Ok(digest) => listing.manifests.push(digest),
                    Err(error) => listing
                        .findings
                        .push(Finding::unreadable(self.shown(&path), error)),
                }
            }
        }
        Ok(())
    }

    fn list_tags(
        &self,
        repository: &RepositoryName,
        tags: &Path,
        listing: &mut Listing,
    ) -> io::Result<()> {
        let revisions: HashSet<Digest> = listing.manifests.iter().cloned().collect();
        let mut found: Vec<(SystemTime, Tag, Digest)> = Vec::new();
        for name in self.folder.folders(tags)? {
            let link = tags.join(&name).join("current/link");
            let read = name.parse::<Tag>().map_err(io::Error::other);
            let read = read.and_then(|tag| Ok((tag, self.link(&link)?)));
            match read {
                Ok((tag, Some(digest))) if revisions.contains(&digest) => {
                    found.push((self.written_at(&link), tag, digest));
                }
                Ok((tag, Some(digest))) => listing.findings.push(Finding::passed_over(
                    format!("{repository}:{tag}"),
                    format!("what it leads to, {digest}, was deleted"),
                )),
                // A tag that was deleted.
                Ok((_, None)) => {}
                Err(error) => listing
                    .findings
                    .push(Finding::unreadable(self.shown(&link), error)),
            }
        }
        found.sort();
        listing.tags = found
            .into_iter()
            .map(|(_, tag, digest)| (tag, digest))
            .collect();
        Ok(())
    }

    fn written_at(&self, file: &Path) -> SystemTime {
        let written = self.folder.path(file).metadata();
        let written = written.and_then(|metadata| metadata.modified());
        written.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn unusable(&self, relative: &Path, error: io::Error) -> TransferError {
        TransferError::folder(self.folder.path(relative), error)
    }
}

fn link_of(folder: &Path, digest: &Digest) -> PathBuf {
    folder
        .join(digest.algorithm().as_str())
        .join(digest.hex())
        .join("link")
}

#[async_trait]
impl Source for DistributionFolder {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        self.look(|this| {
            let root = this.storage.join("repositories");
            let is_repository = |path: &Path| this.folder.has(&path.join("_manifests"));
            // No part of a name begins so.
            let is_inside = |name: &str| name.starts_with('_');
            let found = find_repositories(&this.folder, &root, is_repository, is_inside);
            found.map_err(|error| this.unusable(&root, error))
        })
        .await?
    }

    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError> {
        let repository = repository.clone();
        self.look(move |this| {
            let listing = this.list(&repository);
            listing.map_err(|error| this.unusable(&this.repository(&repository), error))
        })
        .await?
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        let revisions = self.repository(repository).join("_manifests/revisions");
        let link = link_of(&revisions, digest);
        self.look(move |this| {
            this.follow(&link, |data| {
                let content = this.folder.read(data, MANIFEST_LIMIT)?;
                Ok(content.map(|content| FoundManifest {
                    content: content.into(),
                    media_type: None,
                    place: this.shown(data),
                }))
            })
        })
        .await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        let link = link_of(&self.repository(repository).join("_layers"), digest);
        let sought = self.look(move |this| this.follow(&link, |data| this.folder.file(data)));
        Ok(sought.await?.map(found_blob))
    }
}
