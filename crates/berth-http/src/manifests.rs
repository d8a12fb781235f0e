use berth_registry::{ManifestContent, Registry, RegistryError, StoredManifest};
use berth_route::url;
use berth_spec::{Reference, RepositoryName, Tag};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};

use crate::conditions::{self, entity_tag, is_not_modified, is_not_wanted};
use crate::errors::{self, Failure};
use crate::large_bodies::{LargeBodies, Room};
use crate::request_body::{CollectError, RequestBody};
use crate::responses::{Answer, OCI_SUBJECT, OCI_TAG};

/// A manifest, and the room for its bytes if they are many.
pub(crate) struct FoundManifest {
    manifest: StoredManifest,
    room: Room,
}

/// end-3: finds a manifest for `GET` or `HEAD`.
pub(crate) async fn get(
    registry: &Registry,
    large_bodies: &LargeBodies,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<FoundManifest, Failure> {
    let manifest = registry.manifest(repository, reference).await?;
    let size = manifest.content.len();
    if let Ok(room) = large_bodies.room_now(size) {
        return Ok(FoundManifest { manifest, room });
    }
    // Not held while waiting: that is what the room is for.
    drop(manifest);
    let room = large_bodies.room(size).await?;
    let manifest = registry.manifest(repository, reference).await?;
    Ok(FoundManifest { manifest, room })
}

/// end-3: the answer with a manifest.
pub(crate) fn answer(found: FoundManifest, method: &Method, headers: &HeaderMap) -> Answer {
    let FoundManifest { manifest, room } = found;
    let about = |status| {
        Answer::new(status)
            .digest(&manifest.digest)
            .header(header::ETAG, entity_tag(&manifest.digest))
    };
    if is_not_wanted(headers, &manifest.digest) {
        let reference = Reference::Digest(manifest.digest);
        return errors::answer(&RegistryError::NotAsExpected(reference).into());
    }
    if is_not_modified(headers, &manifest.digest) {
        return about(StatusCode::NOT_MODIFIED);
    }
    let answer = about(StatusCode::OK)
        .header(header::CONTENT_TYPE, manifest.media_type.as_str())
        .header(header::CONTENT_LENGTH, manifest.content.len());
    if method == Method::HEAD {
        return answer;
    }
    answer.body(manifest.content).room(room)
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
) -> Result<Answer, Failure> {
    let condition = conditions::of_change(headers);
    registry
        .delete_manifest(repository, reference, &condition)
        .await?;
    Ok(Answer::new(StatusCode::ACCEPTED))
}
