use std::io;
use std::ops::Range;

use berth_registry::{BlobError, BlobReader, PulledBlob, Registry, RegistryError};
use berth_sendfile::FileMaps;
use berth_spec::{Digest, Reference, RepositoryName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tracing::debug;

use crate::conditions::{self, entity_tag, is_not_modified, is_not_wanted, range_counts};
use crate::errors::{self, Failure};
use crate::mapped_body::MappedBody;
use crate::range::{Wanted, wanted};
use crate::responses::{Answer, MORE_HEADERS, ResponseBody};

/// Who else than the client may keep a blob. Content of one digest never changes: whoever has it need not ask again
/// for a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Caches that others share, since everybody may have it.
    Everybody,
    /// Nobody: a cache would give it to those who may not have it.
    Caller,
}

impl Audience {
    fn cache_control(self) -> &'static str {
        match self {
            Self::Everybody => "max-age=31536000, immutable",
            Self::Caller => "private, max-age=31536000, immutable",
        }
    }
}

/// From so many bytes on, mapping a file costs less than reading it.
const MAPPED_FROM: u64 = 64 * 1024;

/// end-2: `GET` and `HEAD` of a blob. With `maps`, large ones are sent from their file. To a `GET`, the answer may be a
/// redirect; what needs no bytes is answered here.
pub(crate) async fn get(
    registry: &Registry,
    maps: Option<&FileMaps>,
    method: &Method,
    headers: &HeaderMap,
    repository: &RepositoryName,
    digest: &Digest,
    audience: Audience,
) -> Result<Answer, Failure> {
    if is_not_wanted(headers, digest) {
        registry.blob(repository, digest).await?;
        let reference = Reference::Digest(digest.clone());
        return Err(RegistryError::NotAsExpected(reference).into());
    }
    if method == Method::HEAD || is_not_modified(headers, digest) {
        let blob = registry.blob(repository, digest).await?;
        if is_not_modified(headers, digest) {
            return Ok(about(StatusCode::NOT_MODIFIED, digest, audience));
        }
        return Ok(content(StatusCode::OK, digest, blob.size, audience));
    }
    let reader = match registry.pull_blob(repository, digest).await? {
        PulledBlob::Here(reader) => reader,
        PulledBlob::Elsewhere { url } => return elsewhere(digest, &url),
    };
    let size = reader.size();
    let (answer, range) = match range_of(headers, digest, size) {
        Wanted::Whole => (content(StatusCode::OK, digest, size, audience), 0..size),
        Wanted::Part(range) => {
            let answer = content(
                StatusCode::PARTIAL_CONTENT,
                digest,
                range.end - range.start,
                audience,
            );
            let held = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            (answer.header(header::CONTENT_RANGE, held), range)
        }
        Wanted::Unsatisfiable => {
            let failure = Failure::RangeUnsatisfiable { size };
            let held = format!("bytes */{size}");
            return Ok(errors::answer(&failure).header(header::CONTENT_RANGE, held));
        }
    };
    if let Some(body) = mapped(&*reader, &range, maps) {
        return Ok(answer.body(ResponseBody::Mapped(body)));
    }
    let remaining = range.end - range.start;
    let bytes = registry.begin(repository, digest, reader, range).await?;
    Ok(answer.body(ResponseBody::Stream { bytes, remaining }))
}

/// The same bytes from the file of the blob, if it has one and that is worth it.
fn mapped(
    reader: &dyn BlobReader,
    range: &Range<u64>,
    maps: Option<&FileMaps>,
) -> Option<MappedBody> {
    let maps = maps.filter(|_| range.end - range.start >= MAPPED_FROM)?;
    match MappedBody::new(maps, reader.file()?, range.clone()) {
        Ok(body) => Some(body),
        Err(error) => {
            debug!(%error, "a blob cannot be mapped, and is read instead");
            None
        }
    }
}

/// Sends the client to where the blob is, with the same headers: a `Range` counts there.
fn elsewhere(digest: &Digest, url: &str) -> Result<Answer, Failure> {
    let mut location = HeaderValue::try_from(url).map_err(|_| {
        let error = io::Error::other("the store answers a URL that no header can hold");
        RegistryError::Blob(BlobError::Io(error))
    })?;
    // Whoever has it has the blob.
    location.set_sensitive(true);
    let answer = Answer::new(StatusCode::TEMPORARY_REDIRECT)
        .digest(digest)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::LOCATION, location);
    Ok(answer)
}

/// end-10: `DELETE` of a blob.
pub(crate) async fn delete(
    registry: &Registry,
    headers: &HeaderMap,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Answer, Failure> {
    let condition = conditions::of_change(headers);
    registry.delete_blob(repository, digest, &condition).await?;
    Ok(Answer::new(StatusCode::ACCEPTED).digest(digest))
}

fn range_of(headers: &HeaderMap, digest: &Digest, size: u64) -> Wanted {
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    match range {
        Some(range) if range_counts(headers, digest) => wanted(range, size),
        _ => Wanted::Whole,
    }
}

fn about(status: StatusCode, digest: &Digest, audience: Audience) -> Answer {
    Answer::with_headers(status, MORE_HEADERS)
        .digest(digest)
        .header(header::ETAG, entity_tag(digest))
        .header(header::CACHE_CONTROL, audience.cache_control())
        .header(header::ACCEPT_RANGES, "bytes")
}

fn content(status: StatusCode, digest: &Digest, length: u64, audience: Audience) -> Answer {
    about(status, digest, audience)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, length)
}
