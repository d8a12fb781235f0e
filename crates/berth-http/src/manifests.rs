use berth_registry::{Registry, RegistryError};
use berth_route::url;
use berth_spec::{Reference, RepositoryName, Tag};
use http::{HeaderMap, Method, StatusCode, header};

use crate::conditions::{entity_tag, is_not_modified};
use crate::errors::Failure;
use crate::request_body::RequestBody;
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

/// end-7a, end-7b: `PUT` of a manifest.
pub(crate) async fn put(
    registry: &Registry,
    headers: &HeaderMap,
    repository: &RepositoryName,
    reference: &Reference,
    tags: &[Tag],
    body: RequestBody,
) -> Result<Answer, Failure> {
    let limit = registry.settings().manifest_size_limit;
    let content = body
        .collect(limit)
        .await
        .map_err(Failure::Body)?
        .ok_or(RegistryError::ManifestTooLarge { limit })?;
    // A header that is not text is not a media type either, and is refused as such.
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let pushed = registry
        .push_manifest(
            repository,
            reference,
            tags,
            content_type.as_deref(),
            content,
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
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Answer, Failure> {
    registry.delete_manifest(repository, reference).await?;
    Ok(Answer::new(StatusCode::ACCEPTED))
}
