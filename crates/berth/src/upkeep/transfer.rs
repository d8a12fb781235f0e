use std::path::PathBuf;

use berth_progress::{Observer, Progress};
use berth_registry::Authority;
use berth_spec::{Globs, RepositoryName};
use berth_transfer::{
    DistributionFolder, Export, Finding, OciLayout, RegistrySource, Source, Transfer,
    TransferReport, ZotFolder,
};
use serde::{Deserialize, Serialize};

use super::{Upkeep, Watcher};

/// What is to be imported.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImportFrom {
    /// The folder of a distribution registry.
    Distribution(PathBuf),
    /// The folder of a zot registry.
    Zot(PathBuf),
    /// An OCI image layout.
    OciLayout {
        /// Where it is.
        folder: PathBuf,
        /// The repository that it becomes.
        repository: RepositoryName,
    },
}

/// What is to be exported.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ExportTo {
    /// The folder to write to.
    pub(crate) folder: PathBuf,
    /// Which repositories.
    pub(crate) repositories: Globs,
}

impl Upkeep {
    /// Brings what another program wrote into the registry, by its rules.
    pub(super) async fn import(
        &self,
        from: &ImportFrom,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<TransferReport> {
        let source: Box<dyn Source> = match from {
            ImportFrom::Distribution(folder) => Box::new(DistributionFolder::open(folder).await?),
            ImportFrom::Zot(folder) => Box::new(ZotFolder::open(folder).await?),
            ImportFrom::OciLayout { folder, repository } => {
                Box::new(OciLayout::open(folder, repository.clone()).await?)
            }
        };
        let transfer = Transfer {
            source: &*source,
            registry: &self.registry,
            authority: Authority::Ordinary,
        };
        Ok(transfer.run(&Findings(watcher)).await?)
    }

    /// Writes repositories into a folder.
    pub(super) async fn export(
        &self,
        to: &ExportTo,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<TransferReport> {
        let metadata = &self.metadata;
        let source = RegistrySource::of_parts(
            metadata.clone(),
            metadata.clone(),
            metadata.clone(),
            self.blobs.clone(),
        );
        let export = Export {
            source: &source,
            repositories: &to.repositories,
        };
        Ok(export.run(&to.folder, &Findings(watcher)).await?)
    }
}

/// Tells of findings as text.
pub(crate) struct Findings<'a>(pub(crate) &'a dyn Watcher);

impl Observer for Findings<'_> {
    fn tell(&self, progress: &Progress) {
        self.0.tell(progress);
    }
}

impl berth_transfer::Watcher for Findings<'_> {
    fn found(&self, finding: &Finding) {
        self.0.found(&finding.to_string());
    }
}
