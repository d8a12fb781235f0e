use berth_registry::{Authority, ManifestContent, Registry, RegistryError};
use berth_route::url;
use berth_spec::{Reference, RepositoryName, Tag};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use crate::conditions::{self, entity_tag, is_not_modified, is_not_wanted};
use crate::errors::Failure;
use crate::large_bodies::{LargeBodies, Room};
use crate::request_body::{CollectError, RequestBody};
use crate::responses::{Answer, OCI_SUBJECT, OCI_TAG};

/// end-3: `GET` and `HEAD` of a manifest.
pub(crate) async fn get(
    registry: &Registry,
    method: &Method,
    headers: &HeaderMap,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Answer, Failure> {
    let manifest = registry.manifest(repository, reference).await?;
    let about = |status| {
        Answer::new(status)
            .digest(&manifest.digest)
            .header(header::ETAG, entity_tag(&manifest.digest))
    };
    if is_not_wanted(headers, &manifest.digest) {
        let reference = Reference::Digest(manifest.digest);
        return Err(RegistryError::NotAsExpected(reference).into());
    }
    if is_not_modified(headers, &manifest.digest) {
        return Ok(about(StatusCode::NOT_MODIFIED));
    }
    let answer = about(StatusCode::OK)
        .header(header::CONTENT_TYPE, manifest.media_type.as_str())
        .header(header::CONTENT_LENGTH, manifest.content.len());
    if method == Method::HEAD {
        return Ok(answer);
    }
    Ok(answer.body(manifest.content))
}

/// Takes in the body of a `PUT`.
pub(crate) async fn receive(
    body: RequestBody,
    limit: usize,
    large_bodies: &LargeBodies,
) -> Result<(Bytes, Room), Failure> {
    let collected = body.collect(limit, large_bodies).await;
    collected.map_err(|error| match error {
        CollectError::TooLarge => RegistryError::ManifestTooLarge { limit }.into(),
        CollectError::Body(error) => Failure::Body(error),
        CollectError::NoRoom(no_room) => no_room.into(),
    })
}

/// end-7a, end-7b: `PUT` of a manifest.
pub(crate) async fn put(
    registry: &Registry,
    headers: &HeaderMap,
    repository: &RepositoryName,
    reference: &Reference,
    tags: &[Tag],
    (content, _room): (Bytes, Room),
    authority: Authority,
) -> Result<Answer, Failure> {
    // A header that is not text is not a media type either, and is refused as such.
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let pushed = registry
        .push_manifest(
            repository,
            reference,
            tags,
            ManifestContent {
                content_type: content_type.as_deref(),
                content,
            },
            &conditions::of_change(headers),
            authority,
        )
        .await?;
    let mut answer = Answer::new(StatusCode::CREATED)
        .digest(&pushed.digest)
        .location(url::manifest(repository, &pushed.digest.into()));
    if let Some(subject) = pushed.subject {
        answer = answer.header(OCI_SUBJECT, subject.as_str());
    }
    if !tags.is_empty() {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        answer = answer.header(OCI_TAG, tags.join(", "));
    }
    Ok(answer)
}

/// end-9: `DELETE` of a manifest or a tag.
pub(crate) async fn delete(
    registry: &Registry,
    headers: &HeaderMap,
    repository: &RepositoryName,
    reference: &Reference,
    authority: Authority,
) -> Result<Answer, Failure> {
    let condition = conditions::of_change(headers);
    registry
        .delete_manifest(repository, reference, &condition, authority)
        .await?;
    Ok(Answer::new(StatusCode::ACCEPTED))
}
