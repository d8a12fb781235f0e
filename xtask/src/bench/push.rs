//! The requests of a push.

use anyhow::{Context, Result, bail, ensure};
use berth_spec::{Digest, media_types};

use super::content::Content;
use super::http::{Answer, Body, Connection, Request};

/// The size of a chunk of a chunked upload.
const CHUNK: u64 = 8 << 20;

/// A way to push the content of a blob. Each starts with a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All in the body of the final PUT.
    SinglePut,
    /// All in the body of one PATCH of unknown length, then an empty PUT.
    StreamedPatch,
    /// In PATCHes of 8 MiB each, then an empty PUT.
    Chunks,
}

/// Pushes a blob whose digest is known.
pub(super) async fn content(
    connection: &mut Connection,
    repository: &str,
    content: &mut Content,
    digest: &Digest,
    way: Way,
) -> Result<()> {
    let mut location = begin(connection, repository).await?;
    match way {
        Way::SinglePut => {
            let target = finishing(&location, digest);
            let headers = [("Content-Type", OCTETS)];
            let request = Request::new("PUT", &target, &headers, &Body::Length(content.size()));
            connection.begin(&request).await?;
            for number in 0..content.blocks() {
                connection.write(content.block(number)).await?;
            }
            return expect(&connection.answer().await?, 201, "PUT of a blob");
        }
        Way::StreamedPatch => location = stream(connection, &location, content).await?,
        Way::Chunks => location = chunks(connection, location, content).await?,
    }
    finish(connection, &location, digest, &[]).await
}

/// Pushes a small blob: a POST, then a PUT.
pub(super) async fn blob(
    connection: &mut Connection,
    repository: &str,
    bytes: &[u8],
    digest: &Digest,
) -> Result<()> {
    let location = begin(connection, repository).await?;
    finish(connection, &location, digest, bytes).await
}

/// Pushes a manifest by a tag or by its digest.
pub(super) async fn manifest(
    connection: &mut Connection,
    repository: &str,
    reference: &str,
    bytes: &[u8],
) -> Result<()> {
    let answer = connection
        .send(&manifest_request(repository, reference, bytes))
        .await?;
    expect(&answer, 201, "PUT of a manifest")
}

pub(super) fn manifest_request(repository: &str, reference: &str, bytes: &[u8]) -> Request {
    let target = format!("/v2/{repository}/manifests/{reference}");
    let headers = [("Content-Type", media_types::OCI_IMAGE_MANIFEST)];
    Request::new("PUT", &target, &headers, &Body::Bytes(bytes))
}

/// Makes a blob of one repository one of another, too. A registry that does not mount is sent the
/// bytes.
pub(super) async fn mount(
    connection: &mut Connection,
    repository: &str,
    from: &str,
    bytes: &[u8],
    digest: &Digest,
) -> Result<()> {
    let target = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
    let answer = connection.send(&post(&target)).await?;
    if answer.status == 201 {
        return Ok(());
    }
    expect(&answer, 202, "mount of a blob")?;
    finish(connection, &location(answer)?, digest, bytes).await
}

pub(super) fn expect(answer: &Answer, status: u16, what: &str) -> Result<()> {
    ensure!(
        answer.status == status,
        "{what} was answered {} instead of {status}",
        answer.status
    );
    Ok(())
}

/// Whether a registry serves what was asked for: some do not know every request of the specification.
///
/// # Errors
/// When it does know it, and fails.
pub(super) fn is_served(answer: &Answer, what: &str) -> Result<bool> {
    match answer.status {
        200 => Ok(true),
        404 | 405 => Ok(false),
        status => bail!("{what} was answered {status}"),
    }
}

const OCTETS: &str = "application/octet-stream";

fn post(target: &str) -> Request {
    Request::new("POST", target, &[], &Body::Bytes(&[]))
}

async fn begin(connection: &mut Connection, repository: &str) -> Result<String> {
    let request = post(&format!("/v2/{repository}/blobs/uploads/"));
    let answer = connection.send(&request).await?;
    expect(&answer, 202, "POST of an upload")?;
    location(answer)
}

async fn stream(connection: &mut Connection, to: &str, content: &mut Content) -> Result<String> {
    let headers = [("Content-Type", OCTETS)];
    let request = Request::new("PATCH", path(to), &headers, &Body::Chunked);
    connection.begin(&request).await?;
    for number in 0..content.blocks() {
        connection.write_chunks(content.block(number)).await?;
    }
    connection.end_chunks().await?;
    let answer = connection.answer().await?;
    expect(&answer, 202, "PATCH of a stream")?;
    location(answer)
}

async fn chunks(
    connection: &mut Connection,
    mut to: String,
    content: &mut Content,
) -> Result<String> {
    let block = content.block(0).len() as u64;
    let mut start = 0;
    while start < content.size() {
        let end = (start + CHUNK).min(content.size());
        let range = format!("{start}-{}", end - 1);
        let headers = [("Content-Type", OCTETS), ("Content-Range", &range)];
        let request = Request::new("PATCH", path(&to), &headers, &Body::Length(end - start));
        connection.begin(&request).await?;
        for number in start / block..end.div_ceil(block) {
            connection.write(content.block(number)).await?;
        }
        let answer = connection.answer().await?;
        expect(&answer, 202, "PATCH of a chunk")?;
        to = location(answer)?;
        start = end;
    }
    Ok(to)
}

async fn finish(
    connection: &mut Connection,
    location: &str,
    digest: &Digest,
    bytes: &[u8],
) -> Result<()> {
    let target = finishing(location, digest);
    let headers = [("Content-Type", OCTETS)];
    let request = Request::new("PUT", &target, &headers, &Body::Bytes(bytes));
    expect(&connection.send(&request).await?, 201, "PUT of a blob")
}

fn location(answer: Answer) -> Result<String> {
    answer
        .location
        .context("an upload was accepted without a location")
}

/// The path and the query of a location, which may be a whole URL.
fn path(location: &str) -> &str {
    let Some((_, after_scheme)) = location.split_once("://") else {
        return location;
    };
    match after_scheme.find('/') {
        Some(start) => &after_scheme[start..],
        None => "/",
    }
}

/// Where an upload ends: what the registry wrote into the location stays.
fn finishing(location: &str, digest: &Digest) -> String {
    let target = path(location);
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}digest={digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_relative_or_absolute() {
        assert_eq!(path("/v2/a/blobs/uploads/1"), "/v2/a/blobs/uploads/1");
        assert_eq!(path("http://localhost:5000/v2/a?b=c"), "/v2/a?b=c");
        assert_eq!(path("http://localhost"), "/");
    }

    #[test]
    fn the_query_of_a_location_stays() {
        let digest = Digest::sha256(b"");
        assert_eq!(
            finishing("http://localhost/v2/a?_state=x%3D", &digest),
            format!("/v2/a?_state=x%3D&digest={digest}")
        );
        assert_eq!(
            finishing("/v2/a", &digest),
            format!("/v2/a?digest={digest}")
        );
    }
}
