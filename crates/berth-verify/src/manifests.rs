use berth_metadata::{InspectedManifest, Listed, ManifestLimits};
use berth_progress::{Progress, Unit};
use berth_spec::{Digest, Manifest, References, RepositoryName};
use tokio::task::spawn_blocking;

use crate::run::Run;
use crate::{Fault, ManifestDamage, VerifyError};

/// How many manifests are read at once.
const PAGE: ManifestLimits = ManifestLimits {
    count: 256,
    bytes: 8 * 1024 * 1024,
};

/// How many missing references of a manifest are named.
const MISSING_NAMED: u32 = 20;

/// A manifest, and what it refers to or what is wrong with it.
struct Examined {
    repository: RepositoryName,
    digest: Digest,
    references: Result<References, ManifestDamage>,
}

impl Run<'_> {
    /// Verifies all manifests, in the order of their repositories.
    pub(crate) async fn verify_manifests(&self) -> Result<(), VerifyError> {
        let total = self.metadata.totals().await?.manifests;
        self.begin_stage(Progress::begin(
            "verifying manifests",
            Unit::Items,
            Some(total),
        ));
        let mut last: Option<(RepositoryName, Digest)> = None;
        loop {
            let after = last.as_ref().map(|(name, digest)| (name, digest));
            let page = self.metadata.manifests(after, PAGE).await?;
            let bytes: usize = page.iter().map(|found| found.manifest.content.len()).sum();
            self.rate.wait_for(bytes as u64).await;
            let page = examine_all(page).await?;
            for examined in &page {
                self.verify_manifest(examined).await?;
                self.report().manifests += 1;
                self.advance(1);
            }
            let Some(examined) = page.into_iter().next_back() else {
                return Ok(());
            };
            last = Some((examined.repository, examined.digest));
        }
    }

    async fn verify_manifest(&self, examined: &Examined) -> Result<(), VerifyError> {
        let (repository, digest) = (&examined.repository, &examined.digest);
        if self.damage(examined).await?.is_none() {
            return Ok(());
        }
        // It may be gone by now, and may have been pushed again.
        let again = self.metadata.inspected_manifest(repository, digest).await?;
        let Some(again) = examine_all(again.into_iter().collect()).await?.pop() else {
            return Ok(());
        };
        let Some(damage) = self.damage(&again).await? else {
            return Ok(());
        };
        let fault = Fault::Manifest {
            repository: repository.clone(),
            digest: digest.clone(),
            damage,
        };
        self.tell(&self.problem(fault).await?);
        Ok(())
    }

    /// What is wrong with a manifest, if it is still there.
    async fn damage(&self, examined: &Examined) -> Result<Option<ManifestDamage>, VerifyError> {
        let references = match &examined.references {
            Ok(references) => references,
            Err(damage) => return Ok(Some(damage.clone())),
        };
        let missing = self
            .metadata
            .missing_references(
                &examined.repository,
                &examined.digest,
                &references.required_blobs,
                &references.manifests,
            )
            .await?;
        let missing = missing.filter(|missing| !missing.is_empty());
        Ok(missing.map(|missing| ManifestDamage::References {
            missing: Listed::of(missing, MISSING_NAMED),
        }))
    }
}

/// Hashes and reads manifests, on a blocking thread.
async fn examine_all(manifests: Vec<InspectedManifest>) -> Result<Vec<Examined>, VerifyError> {
    let examining = spawn_blocking(|| manifests.into_iter().map(examine).collect());
    examining.await.map_err(|_| VerifyError::Interrupted)
}

fn examine(inspected: InspectedManifest) -> Examined {
    let manifest = inspected.manifest;
    let found = Digest::of(manifest.digest.algorithm(), &manifest.content);
    let references = match Manifest::parse(Some(&manifest.media_type), &manifest.content) {
        _ if found != manifest.digest => Err(ManifestDamage::Corrupt { found }),
        Ok(manifest) => Ok(manifest.references()),
        Err(error) => Err(ManifestDamage::Unreadable {
            error: error.to_string(),
        }),
    };
    Examined {
        repository: inspected.repository,
        digest: manifest.digest,
        references,
    }
}
