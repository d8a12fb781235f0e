use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};

use crate::TransferError;
use crate::blocking::blocking;
use crate::folder::Folder;
use crate::layout::Layout;
use crate::pieces::found_blob;
use crate::source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};

/// An OCI image layout in a folder, as skopeo, oras, crane and buildkit write it: one repository.
///
/// The name of an entry (`org.opencontainers.image.ref.name`) becomes its tag, if it is one. Entries that are no manifests are passed
/// over, as the specification asks.
#[derive(Clone, Debug)]
pub struct OciLayout {
    layout: Layout,
    repository: RepositoryName,
}

impl OciLayout {
    /// Opens a layout, which will be this repository.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open(path: &Path, repository: RepositoryName) -> Result<Self, TransferError> {
        let opened = path.to_owned();
        let layout = blocking(move || open(&opened)).await??;
        Ok(Self { layout, repository })
    }
}

fn open(path: &Path) -> Result<Layout, TransferError> {
    let folder = Folder::open(path)?;
    if !Layout::is_there(&folder, Path::new("")) {
        return Err(TransferError::NotA {
            path: path.to_owned(),
            expected: "an OCI image layout: it has no files oci-layout and index.json",
        });
    }
    Ok(Layout {
        folder: Arc::new(folder),
        path: PathBuf::new(),
    })
}

#[async_trait]
impl Source for OciLayout {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        Ok(Repositories {
            names: vec![self.repository.clone()],
            findings: Vec::new(),
        })
    }

    async fn listing(&self, _: &RepositoryName) -> Result<Listing, TransferError> {
        let layout = self.layout.clone();
        blocking(move || {
            let root = layout.folder.path(&layout.path);
            let listing = layout.listing();
            listing.map_err(|error| TransferError::folder(root, error))
        })
        .await?
    }

    async fn manifest(
        &self,
        _: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        let (layout, digest) = (self.layout.clone(), digest.clone());
        blocking(move || layout.manifest(&digest)).await
    }

    async fn blob(
        &self,
        _: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        let (layout, digest) = (self.layout.clone(), digest.clone());
        let sought = blocking(move || layout.blob(&digest)).await?;
        Ok(sought.map(found_blob))
    }
}
