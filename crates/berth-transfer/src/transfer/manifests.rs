use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use berth_registry::{Condition, ManifestContent, RegistryError};
use berth_spec::{Digest, Reference, RepositoryName};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::Transfer;
use super::blobs::Blobs;
use crate::reading::{ReadManifest, read};
use crate::source::Listing;
use crate::tally::Tally;
use crate::{Finding, TransferError};

/// How many manifests are transferred at once, with their blobs. Most of the time is spent waiting for disks.
const TOGETHER: usize = 8;

/// How often a manifest is pushed whose blobs go away in between, by garbage collection without a grace period.
const ATTEMPTS: usize = 3;

/// The transfer of one repository.
pub(super) struct Repository<'a> {
    pub(super) transfer: &'a Transfer<'a>,
    pub(super) name: &'a RepositoryName,
    pub(super) tally: &'a Tally<'a>,
    pub(super) blobs: Mutex<Blobs>,
}

/// What became of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The registry has it.
    There,
    /// The registry does not have it, and should.
    LeftOut,
    /// The registry does not have it, on purpose.
    PassedOver,
}

/// How far a manifest is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Visited {
    Done(Outcome),
    /// It lists manifests that have to come first.
    Waits(Vec<Digest>),
}

/// The manifests that are done.
pub(super) type Done = HashMap<Digest, Outcome>;

impl<'a> Repository<'a> {
    pub(super) fn new(
        transfer: &'a Transfer<'a>,
        name: &'a RepositoryName,
        tally: &'a Tally<'a>,
    ) -> Self {
        Self {
            transfer,
            name,
            tally,
            blobs: Mutex::default(),
        }
    }

    pub(super) async fn bring(&self, listing: Listing) -> Result<(), TransferError> {
        for finding in &listing.findings {
            self.tally.found(finding);
        }
        let done = self.bring_manifests(listing.manifests).await?;
        for (tag, digest) in &listing.tags {
            self.bring_tag(tag, digest, &done).await?;
        }
        Ok(())
    }

    /// Brings manifests, and those that they list, in rounds: each has those of which all that they list is done.
    async fn bring_manifests(&self, listed: Vec<Digest>) -> Result<Done, TransferError> {
        let mut done = Done::new();
        let mut waiting: HashMap<Digest, Vec<Digest>> = HashMap::new();
        let mut seen = HashSet::new();
        let mut next = self.unseen(listed, &mut seen);
        while !next.is_empty() {
            let visits = stream::iter(next).map(|digest| self.visit(digest, &done));
            let visited: Vec<_> = visits.buffered(TOGETHER).try_collect().await?;
            let mut listed = Vec::new();
            for (digest, visited) in visited {
                match visited {
                    Visited::Done(outcome) => drop(done.insert(digest, outcome)),
                    Visited::Waits(children) => {
                        listed.extend(children.iter().cloned());
                        waiting.insert(digest, children);
                    }
                }
            }
            next = self.unseen(listed, &mut seen);
            let is_ready = |_: &Digest, children: &mut Vec<Digest>| {
                children.iter().all(|child| done.contains_key(child))
            };
            next.extend(waiting.extract_if(is_ready).map(|(digest, _)| digest));
        }
        Ok(done)
    }

    fn unseen(&self, digests: Vec<Digest>, seen: &mut HashSet<Digest>) -> Vec<Digest> {
        let unseen = digests
            .into_iter()
            .filter(|digest| seen.insert(digest.clone()));
        let unseen: Vec<_> = unseen.collect();
        self.tally.expect(unseen.len());
        unseen
    }

    async fn visit(&self, digest: Digest, done: &Done) -> Result<(Digest, Visited), TransferError> {
        let sought = self.transfer.source.manifest(self.name, &digest).await?;
        let visited = match read(self.name, &digest, sought).await? {
            Ok(manifest) => self.bring_manifest(&digest, &manifest, done).await?,
            Err(finding) => {
                self.tally.found(&finding);
                Visited::Done(match finding.is_problem() {
                    true => Outcome::LeftOut,
                    false => Outcome::PassedOver,
                })
            }
        };
        if matches!(visited, Visited::Done(_)) {
            self.tally.advance();
        }
        Ok((digest, visited))
    }

    async fn bring_manifest(
        &self,
        digest: &Digest,
        manifest: &ReadManifest,
        done: &Done,
    ) -> Result<Visited, TransferError> {
        let children = &manifest.references.manifests;
        if !children.iter().all(|child| done.contains_key(child)) {
            return Ok(Visited::Waits(children.clone()));
        }
        let is_left_out = |child: &&Digest| done.get(*child) != Some(&Outcome::There);
        if let Some(child) = children.iter().find(is_left_out) {
            return Ok(self.incomplete(digest, child));
        }
        if let Some(missing) = self.bring_blobs(&manifest.references).await? {
            return Ok(self.incomplete(digest, &missing));
        }
        if self.has(digest, manifest).await? {
            self.tally.report().kept += 1;
            return Ok(Visited::Done(Outcome::There));
        }
        self.store(digest, manifest).await
    }

    /// Whether the registry has the manifest, as the source has it.
    async fn has(&self, digest: &Digest, manifest: &ReadManifest) -> Result<bool, TransferError> {
        let reference = Reference::from(digest.clone());
        let known = self.transfer.registry.manifest(self.name, &reference).await;
        match known {
            Ok(known) => Ok(known.media_type == manifest.media_type),
            Err(RegistryError::ManifestUnknown { .. } | RegistryError::RepositoryUnknown(_)) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn store(
        &self,
        digest: &Digest,
        manifest: &ReadManifest,
    ) -> Result<Visited, TransferError> {
        let mut last_missing = None;
        for _ in 0..ATTEMPTS {
            match self.push(digest, manifest).await {
                Ok(()) => {
                    self.tally.report().manifests += 1;
                    return Ok(Visited::Done(Outcome::There));
                }
                Err(RegistryError::ReferencesUnknown { missing, .. }) => {
                    self.forget_blobs(&missing);
                    last_missing = missing.into_iter().next();
                }
                Err(error) => return self.refused(digest, error),
            }
            if let Some(missing) = self.bring_blobs(&manifest.references).await? {
                return Ok(self.incomplete(digest, &missing));
            }
        }
        Ok(self.incomplete(digest, last_missing.as_ref().unwrap_or(digest)))
    }

    async fn push(&self, digest: &Digest, manifest: &ReadManifest) -> Result<(), RegistryError> {
        let pushed = ManifestContent {
            content_type: Some(manifest.media_type.as_str()),
            content: manifest.content.clone(),
        };
        let reference = Reference::from(digest.clone());
        let registry = self.transfer.registry;
        let authority = self.transfer.authority;
        let condition = Condition::default();
        registry
            .push_manifest(self.name, &reference, &[], pushed, &condition, authority)
            .await?;
        Ok(())
    }

    fn incomplete(&self, manifest: &Digest, missing: &Digest) -> Visited {
        self.tally.found(&Finding::Incomplete {
            repository: self.name.clone(),
            manifest: manifest.clone(),
            missing: missing.clone(),
        });
        Visited::Done(Outcome::LeftOut)
    }

    /// What the registry does not take is a finding, if it has rules of its own for that.
    fn refused(&self, reference: &Digest, error: RegistryError) -> Result<Visited, TransferError> {
        self.tally.found(&refusal(self.name, reference, error)?);
        Ok(Visited::Done(Outcome::LeftOut))
    }
}

/// A refusal, as a finding.
///
/// # Errors
/// If the registry does not refuse, but fails.
pub(super) fn refusal(
    repository: &RepositoryName,
    reference: impl ToString,
    error: RegistryError,
) -> Result<Finding, TransferError> {
    match error {
        RegistryError::TagImmutable(_)
        | RegistryError::QuotaExceeded(_)
        | RegistryError::ManifestTooLarge { .. }
        | RegistryError::ContentType(_)
        | RegistryError::Manifest(_)
        | RegistryError::ManifestDigestMismatch { .. } => Ok(Finding::Refused {
            repository: repository.clone(),
            reference: reference.to_string(),
            why: error.to_string(),
        }),
        error => Err(error.into()),
    }
}
