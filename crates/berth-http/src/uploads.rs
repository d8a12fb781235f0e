use berth_registry::{Content, Registry, RegistryError, UploadError};
use berth_route::{MountFrom, Session, StartUpload, url};
use berth_spec::{Algorithm, Digest, RepositoryName};
use http::{HeaderMap, StatusCode, header};

use crate::errors::{self, Failure};
use crate::range;
use crate::request_body::RequestBody;
use crate::responses::{Answer, DOCKER_UPLOAD_UUID};

/// end-4a, end-4b, end-4c, end-11: `POST` that starts an upload, is one, or makes it needless.
pub(crate) async fn start(
    registry: &Registry,
    headers: &HeaderMap,
    repository: &RepositoryName,
    start: &StartUpload,
    body: RequestBody,
) -> Result<Answer, Failure> {
    match start {
        StartUpload::Session(algorithm) => begin(registry, repository, *algorithm).await,
        StartUpload::Whole(digest) => {
            let content = content(headers, body)?;
            registry.push_blob(repository, digest, content).await?;
            Ok(created(repository, digest))
        }
        StartUpload::Mount { digest, from } => mount(registry, repository, digest, from).await,
    }
}

async fn mount(
    registry: &Registry,
    repository: &RepositoryName,
    digest: &Digest,
    from: &MountFrom,
) -> Result<Answer, Failure> {
    let mounted = match from {
        MountFrom::Nowhere => None,
        MountFrom::Anywhere => registry.mount_blob(repository, None, digest).await?,
        MountFrom::Repository(from) => registry.mount_blob(repository, Some(from), digest).await?,
    };
    match mounted {
        Some(_) => Ok(created(repository, digest)),
        None => begin(registry, repository, digest.algorithm()).await,
    }
}

async fn begin(
    registry: &Registry,
    repository: &RepositoryName,
    algorithm: Algorithm,
) -> Result<Answer, Failure> {
    let id = registry.begin_upload(repository, algorithm).await?;
    let session = Session {
        repository: repository.clone(),
        id,
    };
    Ok(progress(StatusCode::ACCEPTED, &session, 0))
}

/// end-13: `GET` of an upload session.
pub(crate) async fn status(registry: &Registry, session: &Session) -> Result<Answer, Failure> {
    let offset = registry
        .upload_status(&session.repository, session.id)
        .await?;
    Ok(progress(StatusCode::NO_CONTENT, session, offset))
}

/// end-5: `PATCH` of an upload session.
pub(crate) async fn append(
    registry: &Registry,
    headers: &HeaderMap,
    session: &Session,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let content = content(headers, body)?;
    let appended = registry
        .append_upload(&session.repository, session.id, content)
        .await;
    match appended {
        Ok(offset) => Ok(progress(StatusCode::ACCEPTED, session, offset)),
        Err(error) => refuse(session, error),
    }
}

/// end-6: `PUT` of an upload session.
pub(crate) async fn finish(
    registry: &Registry,
    headers: &HeaderMap,
    session: &Session,
    digest: &Digest,
    body: RequestBody,
) -> Result<Answer, Failure> {
    let content = content(headers, body)?;
    let finished = registry
        .finish_upload(&session.repository, session.id, digest, content)
        .await;
    match finished {
        Ok(()) => Ok(created(&session.repository, digest)),
        Err(error) => refuse(session, error),
    }
}

/// end-14: `DELETE` of an upload session.
pub(crate) async fn cancel(registry: &Registry, session: &Session) -> Result<Answer, Failure> {
    registry
        .cancel_upload(&session.repository, session.id)
        .await?;
    Ok(Answer::new(StatusCode::NO_CONTENT))
}

fn content(headers: &HeaderMap, body: RequestBody) -> Result<Content, Failure> {
    let range = match headers.get(header::CONTENT_RANGE) {
        None => None,
        Some(value) => {
            let text = String::from_utf8_lossy(value.as_bytes());
            let chunk = range::chunk(&text);
            Some(chunk.ok_or_else(|| Failure::ContentRange(text.into_owned()))?)
        }
    };
    Ok(Content {
        range,
        length: body.length(),
        body: body.stream(),
    })
}

/// Refuses content; to a client that is out of step, says where the session stands.
fn refuse(session: &Session, error: RegistryError) -> Result<Answer, Failure> {
    let RegistryError::Upload(UploadError::OutOfOrder { offset, .. }) = error else {
        return Err(error.into());
    };
    let answer = errors::answer(&error.into());
    Ok(stands_at(answer, session, offset))
}

fn progress(status: StatusCode, session: &Session, offset: u64) -> Answer {
    let answer = stands_at(Answer::new(status), session, offset);
    answer.header(DOCKER_UPLOAD_UUID, session.id.to_string())
}

/// An empty session answers `0-0`, as registries always did: the range has no way to say "none".
fn stands_at(answer: Answer, session: &Session, offset: u64) -> Answer {
    answer
        .location(url::upload_session(session))
        .header(header::RANGE, format!("0-{}", offset.saturating_sub(1)))
}

fn created(repository: &RepositoryName, digest: &Digest) -> Answer {
    Answer::new(StatusCode::CREATED)
        .location(url::blob(repository, digest))
        .digest(digest)
}
