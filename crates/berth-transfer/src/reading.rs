use berth_spec::{
    Digest, Manifest, ManifestError, MediaType, References, RepositoryName, media_types,
};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::blocking::blocking;
use crate::source::{FoundManifest, Sought};
use crate::{Finding, TransferError};

/// A manifest of a source that is what its digest says, and that a registry stores.
pub(crate) struct ReadManifest {
    pub(crate) content: Bytes,
    pub(crate) media_type: MediaType,
    pub(crate) references: References,
}

/// Compares a manifest with its digest, and reads it.
pub(crate) async fn read(
    repository: &RepositoryName,
    digest: &Digest,
    sought: Sought<FoundManifest>,
) -> Result<Result<ReadManifest, Finding>, TransferError> {
    let (repository, digest) = (repository.clone(), digest.clone());
    let found = match sought {
        Sought::Found(found) => found,
        Sought::Missing => {
            let manifest = digest;
            return Ok(Err(Finding::Missing {
                repository,
                manifest,
            }));
        }
        Sought::Unreadable { place, error } => {
            return Ok(Err(Finding::unreadable(place, error)));
        }
    };
    blocking(move || check(repository, digest, found)).await
}

fn check(
    repository: RepositoryName,
    digest: Digest,
    found: FoundManifest,
) -> Result<ReadManifest, Finding> {
    let actual = Digest::of(digest.algorithm(), &found.content);
    if actual != digest {
        return Err(Finding::Damaged {
            repository,
            digest,
            found: actual,
            place: found.place,
        });
    }
    parse(&found).map_err(|error| match error {
        ManifestError::Schema1 => Finding::passed_over(
            format!("{repository}@{digest}"),
            "it is a Docker schema 1 manifest, which no client pulls any more",
        ),
        error => Finding::Refused {
            repository,
            reference: digest.into(),
            why: error.to_string(),
        },
    })
}

fn parse(found: &FoundManifest) -> Result<ReadManifest, ManifestError> {
    let content = &found.content;
    let manifest = match Manifest::parse(None, content) {
        Err(ManifestError::NoMediaType) => {
            let media_type = match &found.media_type {
                Some(media_type) => media_type.clone(),
                None => guess(content)?,
            };
            Manifest::parse(Some(&media_type), content)?
        }
        read => read?,
    };
    Ok(ReadManifest {
        content: content.clone(),
        media_type: manifest.media_type(),
        references: manifest.references(),
    })
}

/// What a manifest that does not say its media type is: an OCI index if it lists manifests, or else an OCI image. Docker's kinds
/// say it.
fn guess(content: &[u8]) -> Result<MediaType, ManifestError> {
    #[derive(Deserialize)]
    struct Listed {
        manifests: Option<IgnoredAny>,
    }
    let listed: Listed = serde_json::from_slice(content)?;
    let media_type = match listed.manifests {
        Some(_) => media_types::OCI_IMAGE_INDEX,
        None => media_types::OCI_IMAGE_MANIFEST,
    };
    Ok(media_type.parse()?)
}
