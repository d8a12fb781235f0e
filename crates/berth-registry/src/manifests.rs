use berth_metadata::{Condition, DeleteTag, NewManifest, PutManifest, StoredManifest};
use berth_spec::{Algorithm, Digest, Manifest, MediaType, Reference, RepositoryName, Tag};
use bytes::Bytes;

use crate::{Authority, Registry, RegistryError};

/// A manifest that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The subject that it names, if any (`OCI-Subject`).
    pub subject: Option<Digest>,
}

/// A manifest as a client pushes it.
#[derive(Clone, Debug)]
pub struct ManifestContent<'a> {
    /// The `Content-Type` of the request, if it has one.
    pub content_type: Option<&'a str>,
    /// The bytes.
    pub content: Bytes,
}

impl Registry {
    /// A manifest of this repository (end-3).
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] or [`RegistryError::RepositoryUnknown`] if there is none.
    pub async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<StoredManifest, RegistryError> {
        match self.metadata.manifest(repository, reference).await? {
            Some(manifest) => Ok(manifest),
            None => Err(self.manifest_unknown(repository, reference).await),
        }
    }

    /// Stores a manifest under its digest and points tags at it, all or nothing (end-7a, end-7b).
    /// `reference` is a tag to point at it, or the digest that it must have; `tags` are more tags.
    ///
    /// Everything that it refers to must be in this repository, except its subject and
    /// non-distributable layers.
    ///
    /// If the condition does not hold for what `reference` leads to, nothing changes.
    ///
    /// # Errors
    /// When the condition does not hold, and when the manifest is too large, not valid, not of its
    /// digest, or refers to content that the repository does not have;
    /// [`RegistryError::TagImmutable`] if one of the tags is, and leads to another manifest, or one that is
    /// leads to this one, of which the push says something else than is known, and
    /// `authority` is not enough; [`RegistryError::QuotaExceeded`] if there is no room for it.
    pub async fn push_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        pushed: ManifestContent<'_>,
        condition: &Condition,
        authority: Authority,
    ) -> Result<PushedManifest, RegistryError> {
        let limit = self.settings.manifest_size_limit;
        if pushed.content.len() > limit {
            return Err(RegistryError::ManifestTooLarge { limit });
        }
        let mut manifest = read(reference.clone(), tags.to_vec(), pushed).await?;
        if *condition != Condition::default() {
            manifest.condition = Some((reference.clone(), condition.clone()));
        }
        let bounds = self.bounds(repository, authority);
        let put = self
            .metadata
            .put_manifest_within(repository, &manifest, &bounds);
        match put.await? {
            PutManifest::Stored => Ok(PushedManifest {
                digest: manifest.digest,
                subject: manifest.subject,
            }),
            PutManifest::Missing(missing) => Err(RegistryError::ReferencesUnknown {
                repository: repository.clone(),
                missing,
            }),
            PutManifest::Refused => Err(RegistryError::NotAsExpected(reference.clone())),
        }
    }

    /// Deletes a manifest by digest, with the tags that point to it; or a tag alone, if the
    /// settings allow that (end-9). If the condition does not hold, nothing changes.
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] or [`RegistryError::RepositoryUnknown`] if there is none,
    /// [`RegistryError::TagDeletionOff`], [`RegistryError::NotAsExpected`], and
    /// [`RegistryError::TagImmutable`] if the tag, or one that points to the manifest, is, and
    /// `authority` is not enough.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        condition: &Condition,
        authority: Authority,
    ) -> Result<(), RegistryError> {
        let metadata = &self.metadata;
        let bounds = self.bounds(repository, authority);
        let outcome = match reference {
            // Content of one digest never changes: what it leads to is known before it is there.
            Reference::Digest(digest) if !condition.holds(Some(digest)) => DeleteTag::Refused,
            Reference::Digest(digest) => {
                let deleted = metadata.delete_manifest_within(repository, digest, &bounds);
                match deleted.await? {
                    true => DeleteTag::Deleted,
                    false => DeleteTag::Unknown,
                }
            }
            Reference::Tag(tag) if self.settings.tag_deletion => {
                let deleted = metadata.delete_tag_within(repository, tag, condition, &bounds);
                deleted.await?
            }
            Reference::Tag(_) => return Err(RegistryError::TagDeletionOff),
        };
        match outcome {
            DeleteTag::Deleted => Ok(()),
            DeleteTag::Unknown => Err(self.manifest_unknown(repository, reference).await),
            DeleteTag::Refused => Err(RegistryError::NotAsExpected(reference.clone())),
        }
    }

    async fn manifest_unknown(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> RegistryError {
        let unknown = RegistryError::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        };
        self.not_found(repository, unknown).await
    }
}

/// Checks a pushed manifest by itself. A manifest can have megabytes, so this goes to a blocking
/// thread.
async fn read(
    reference: Reference,
    tags: Vec<Tag>,
    pushed: ManifestContent<'_>,
) -> Result<NewManifest, RegistryError> {
    let content = pushed.content;
    let content_type = pushed
        .content_type
        .map(MediaType::from_content_type)
        .transpose()
        .map_err(RegistryError::ContentType)?;
    let reading =
        tokio::task::spawn_blocking(move || parse(reference, tags, content_type, content));
    reading.await.unwrap_or(Err(RegistryError::Interrupted))
}

fn parse(
    reference: Reference,
    mut tags: Vec<Tag>,
    content_type: Option<MediaType>,
    content: Bytes,
) -> Result<NewManifest, RegistryError> {
    let digest = match reference {
        Reference::Digest(expected) => {
            let actual = Digest::of(expected.algorithm(), &content);
            if actual != expected {
                return Err(RegistryError::ManifestDigestMismatch { expected, actual });
            }
            actual
        }
        Reference::Tag(tag) => {
            tags.insert(0, tag);
            Digest::of(Algorithm::default(), &content)
        }
    };
    let manifest = Manifest::parse(content_type.as_ref(), &content)?;
    let references = manifest.references();
    Ok(NewManifest {
        digest,
        media_type: manifest.media_type(),
        artifact_type: manifest.artifact_type().map(str::to_owned),
        subject: manifest.subject().map(|subject| subject.digest.clone()),
        annotations: manifest.annotations().clone(),
        content,
        required_blobs: references.required_blobs,
        optional_blobs: references.optional_blobs,
        required_manifests: references.manifests,
        tags,
        condition: None,
    })
}
