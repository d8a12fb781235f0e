use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::folder::{Folder, OpenFile};
use crate::layout::{BLOBS, Layout};
use crate::pieces::found_blob;
use crate::source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};
use crate::walk::find_repositories;
use crate::{Finding, TransferError};

/// The folder of a [zot](https://zotregistry.dev) registry: below it, an OCI image layout for each repository. What
/// [`Export`](crate::Export) writes is such a folder, too.
///
/// With deduplication, a blob of many repositories is one file with many links. Where the storage cannot link, as in a
/// folder that was copied from a bucket, all but one are empty files instead: then the bytes are looked for in the other
/// repositories.
#[derive(Clone, Debug)]
pub struct ZotFolder {
    folder: Arc<Folder>,
    repositories: Arc<OnceCell<Repositories>>,
}

impl ZotFolder {
    /// Opens the root directory of the storage (`rootDirectory` in its configuration).
    ///
    /// # Errors
    /// When there is no folder, or none with a repository.
    pub async fn open(path: &Path) -> Result<Self, TransferError> {
        let opened = path.to_owned();
        let folder = blocking(move || Folder::open(&opened)).await??;
        let opened = Self {
            folder: Arc::new(folder),
            repositories: Arc::default(),
        };
        if opened.found().await?.names.is_empty() {
            return Err(TransferError::NotA {
                path: path.to_owned(),
                expected: "the folder of a zot registry: nothing below it is an OCI image layout; name the rootDirectory of its \
                     configuration, or for a single layout use berth import oci-layout",
            });
        }
        Ok(opened)
    }

    async fn found(&self) -> Result<&Repositories, TransferError> {
        let find = || async {
            let folder = Arc::clone(&self.folder);
            blocking(move || find(&folder)).await?
        };
        self.repositories.get_or_try_init(find).await
    }

    fn layout(&self, repository: &RepositoryName) -> Layout {
        Layout {
            folder: Arc::clone(&self.folder),
            path: PathBuf::from(repository.as_str()),
        }
    }
}

fn find(folder: &Folder) -> Result<Repositories, TransferError> {
    let is_repository = |path: &Path| Layout::is_there(folder, path);
    // Its own name for the bytes of a repository, and those that no part of a name begins with.
    let is_inside = |name: &str| name == BLOBS || name.starts_with(['.', '_']);
    let found = find_repositories(folder, Path::new(""), is_repository, is_inside);
    found.map_err(|error| TransferError::folder(folder.path(Path::new("")), error))
}

/// Whether the bytes of a blob are elsewhere: no digest but one is that of no bytes.
fn is_placeholder(open: &OpenFile, digest: &Digest) -> bool {
    open.size == 0 && Digest::of(digest.algorithm(), b"") != *digest
}

/// Opens a blob, of this layout or of the first of these others that has bytes of it.
fn open_blob(
    own: &Layout,
    digest: &Digest,
    others: impl Iterator<Item = Layout>,
) -> Sought<OpenFile> {
    match own.blob(digest) {
        Sought::Found(open) if is_placeholder(&open, digest) => {}
        sought => return sought,
    }
    let has_bytes = |other: Layout| match other.blob(digest) {
        Sought::Found(open) => (!is_placeholder(&open, digest)).then_some(open),
        Sought::Missing | Sought::Unreadable { .. } => None,
    };
    others
        .into_iter()
        .find_map(has_bytes)
        .map_or(Sought::Missing, Sought::Found)
}

#[async_trait]
impl Source for ZotFolder {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        self.found().await.cloned()
    }

    /// One that cannot be read is a finding: it holds up none of the others.
    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError> {
        let layout = self.layout(repository);
        blocking(move || {
            layout.listing().unwrap_or_else(|error| {
                let place = layout.folder.path(&layout.path);
                Listing {
                    findings: vec![Finding::unreadable(place.display(), error)],
                    ..Listing::default()
                }
            })
        })
        .await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        let (layout, digest) = (self.layout(repository), digest.clone());
        blocking(move || layout.manifest(&digest)).await
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        self.found().await?;
        let (this, repository, digest) = (self.clone(), repository.clone(), digest.clone());
        let sought = blocking(move || {
            let all = this.repositories.get().into_iter();
            let others = all.flat_map(|all| &all.names).map(|name| this.layout(name));
            open_blob(&this.layout(&repository), &digest, others)
        });
        Ok(sought.await?.map(found_blob))
    }
}
