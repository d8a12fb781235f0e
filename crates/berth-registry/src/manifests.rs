use std::collections::HashSet;

use berth_metadata::{NewManifest, PutManifest, StoredManifest};
use berth_spec::{
    Algorithm, Descriptor, Digest, Manifest, ManifestKind, MediaType, Reference, RepositoryName,
    Tag,
};
use bytes::Bytes;

use crate::{Registry, RegistryError};

/// A manifest that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The subject that it names, if any (`OCI-Subject`).
    pub subject: Option<Digest>,
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
    /// `content_type` is the header of the request, if it has one.
    ///
    /// Everything that it refers to must be in this repository, except its subject and
    /// non-distributable layers.
    ///
    /// # Errors
    /// When the manifest is too large, not valid, not of its digest, or refers to content that
    /// the repository does not have.
    pub async fn push_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        content_type: Option<&str>,
        content: Bytes,
    ) -> Result<PushedManifest, RegistryError> {
        let limit = self.settings.manifest_size_limit;
        if content.len() > limit {
            return Err(RegistryError::ManifestTooLarge { limit });
        }
        let manifest = read(reference.clone(), tags.to_vec(), content_type, content).await?;
        match self.metadata.put_manifest(repository, &manifest).await? {
            PutManifest::Stored => Ok(PushedManifest {
                digest: manifest.digest,
                subject: manifest.subject,
            }),
            PutManifest::Missing(missing) => Err(RegistryError::ReferencesUnknown {
                repository: repository.clone(),
                missing,
            }),
        }
    }

    /// Deletes a manifest by digest, with the tags that point to it; or a tag alone, if the
    /// settings allow that (end-9).
    ///
    /// # Errors
    /// [`RegistryError::ManifestUnknown`] or [`RegistryError::RepositoryUnknown`] if there is none,
    /// and [`RegistryError::TagDeletionOff`].
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), RegistryError> {
        let deleted = match reference {
            Reference::Digest(digest) => self.metadata.delete_manifest(repository, digest).await?,
            Reference::Tag(tag) if self.settings.tag_deletion => {
                self.metadata.delete_tag(repository, tag).await?
            }
            Reference::Tag(_) => return Err(RegistryError::TagDeletionOff),
        };
        if deleted {
            return Ok(());
        }
        Err(self.manifest_unknown(repository, reference).await)
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
    content_type: Option<&str>,
    content: Bytes,
) -> Result<NewManifest, RegistryError> {
    let content_type = content_type
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
    let (optional_blobs, mut required_blobs) =
        split(manifest.blobs(), Descriptor::is_non_distributable);
    let (required_manifests, listed_blobs) = split(manifest.children(), is_manifest);
    required_blobs.extend(listed_blobs);
    // A manifest of the allowed size can name the same content thousands of times.
    let required_blobs = each_once(required_blobs);
    let optional_blobs = each_once(optional_blobs);
    let required_manifests = each_once(required_manifests);
    Ok(NewManifest {
        digest,
        media_type: manifest.media_type(),
        artifact_type: manifest.artifact_type().map(str::to_owned),
        subject: manifest.subject().map(|subject| subject.digest.clone()),
        annotations: manifest.annotations().clone(),
        content,
        required_blobs,
        optional_blobs,
        required_manifests,
        tags,
    })
}

/// Indexes may list blobs too: build caches do.
fn is_manifest(descriptor: &Descriptor) -> bool {
    ManifestKind::of(&descriptor.media_type).is_some()
}

fn each_once(digests: Vec<Digest>) -> Vec<Digest> {
    let mut seen = HashSet::new();
    let mut digests = digests;
    digests.retain(|digest| seen.insert(digest.clone()));
    digests
}

fn split<'a>(
    descriptors: impl Iterator<Item = &'a Descriptor>,
    which: impl Fn(&Descriptor) -> bool,
) -> (Vec<Digest>, Vec<Digest>) {
    let (chosen, rest): (Vec<_>, Vec<_>) = descriptors.partition(|descriptor| which(descriptor));
    let digests = |descriptors: Vec<&Descriptor>| {
        descriptors
            .into_iter()
            .map(|descriptor| descriptor.digest.clone())
            .collect()
    };
    (digests(chosen), digests(rest))
}
