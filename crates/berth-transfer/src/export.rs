mod folder;
mod repository;

use std::path::Path;

use berth_spec::{Globs, RepositoryName};

use crate::layout::{BLOBS, INDEX, MARKER};
use crate::source::Source;
use crate::tally::Tally;
use crate::{Finding, RegistrySource, TransferError, TransferReport, Watcher};
use folder::ExportFolder;
use repository::ExportedRepository;

/// Writes repositories into a folder, each as an OCI image layout below it: `FOLDER/library/alpine` for `library/alpine`. skopeo and
/// others read each of these, and [`ZotFolder`](crate::ZotFolder) reads all of them.
pub struct Export<'a> {
    /// The registry.
    pub source: &'a RegistrySource,
    /// Which repositories.
    pub repositories: &'a Globs,
}

impl Export<'_> {
    /// Does it. A blob of many repositories is one file with many links, as far as the file system can. All
    /// bytes are compared with their digests. What an earlier export has written there is not written again, so that one that was
    /// interrupted is just begun again; and nothing is removed but the entries of `index.json` that the registry does not have
    /// any more.
    ///
    /// What is damaged is told to the watcher, and all the rest is exported. Pushing and pulling may go on meanwhile. A layout is durable
    /// when it has its `index.json`, which is written last.
    ///
    /// # Errors
    /// When the folder cannot be written to, another export is writing there, or the registry fails.
    pub async fn run(
        &self,
        folder: &Path,
        watcher: &dyn Watcher,
    ) -> Result<TransferReport, TransferError> {
        let folder = ExportFolder::claim(folder).await?;
        let tally = Tally::begin("exporting manifests", watcher);
        let names = self.source.repositories().await?.names;
        let chosen = |name: &&RepositoryName| self.repositories.match_name(name.as_str());
        for name in names.iter().filter(chosen) {
            if let Some(part) = part_of_layout(name) {
                tally.found(&Finding::Refused {
                    repository: name.clone(),
                    reference: "as a whole".to_owned(),
                    why: format!(
                        "a layout has {part} itself, so no repository of that name can be beside it"
                    ),
                });
                continue;
            }
            let repository = ExportedRepository::new(self.source, &folder, name, &tally);
            repository.write().await?;
            tally.report().repositories += 1;
        }
        let report = *tally.report();
        Ok(report)
    }
}

/// A part of a name that means something else in the layout of the repository above.
fn part_of_layout(name: &RepositoryName) -> Option<&str> {
    let mut parts = name.as_str().split('/');
    parts.find(|part| [BLOBS, INDEX, MARKER].contains(part))
}
