//! The URL of each resource: path and query, without scheme and host. The inverse of
//! [`Route::parse`](crate::Route::parse).

use berth_spec::{Digest, Reference, RepositoryName, Tag};
use form_urlencoded::Serializer;

use crate::{MountFrom, Page, Session, StartUpload};

/// `/v2/<name>/manifests/<reference>`, end-3, end-7a, end-9.
pub fn manifest(repository: &RepositoryName, reference: &Reference) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

/// `/v2/<name>/manifests/<digest>?tag=…`, end-7b.
pub fn manifest_with_tags(repository: &RepositoryName, digest: &Digest, tags: &[Tag]) -> String {
    let tags = tags.iter().map(|tag| ("tag", Some(tag.as_str())));
    with_query(format!("/v2/{repository}/manifests/{digest}"), tags)
}

/// `/v2/<name>/blobs/<digest>`, end-2, end-10.
pub fn blob(repository: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

/// `/v2/<name>/blobs/uploads/` with the parameters of this start, end-4a, end-4b, end-4c, end-11.
pub fn start_upload(repository: &RepositoryName, start: &StartUpload) -> String {
    let path = format!("/v2/{repository}/blobs/uploads/");
    match start {
        StartUpload::Session(algorithm) => {
            with_query(path, [("digest-algorithm", Some(algorithm.as_str()))])
        }
        StartUpload::Whole(digest) => with_query(path, [("digest", Some(digest.as_str()))]),
        StartUpload::Mount { digest, from } => {
            let from = match from {
                MountFrom::Anywhere => None,
                MountFrom::Repository(repository) => Some(repository.as_str()),
                MountFrom::Nowhere => Some("-"),
            };
            with_query(path, [("mount", Some(digest.as_str())), ("from", from)])
        }
    }
}

/// `/v2/<name>/blobs/uploads/<session>`, end-5, end-13, end-14.
pub fn upload_session(session: &Session) -> String {
    let Session { repository, id } = session;
    format!("/v2/{repository}/blobs/uploads/{id}")
}

/// `/v2/<name>/blobs/uploads/<session>?digest=…`, end-6.
pub fn finish_upload(session: &Session, digest: &Digest) -> String {
    with_query(upload_session(session), [("digest", Some(digest.as_str()))])
}

/// `/v2/<name>/tags/list` with the parameters of this page, end-8a, end-8b.
pub fn tags(repository: &RepositoryName, page: &Page) -> String {
    paged(format!("/v2/{repository}/tags/list"), page)
}

/// `/v2/_catalog` with the parameters of this page.
pub fn catalog(page: &Page) -> String {
    paged("/v2/_catalog".to_owned(), page)
}

/// `/v2/<name>/referrers/<digest>`, end-12a, end-12b, after `last` if this is not the first page.
pub fn referrers(
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: Option<&Digest>,
) -> String {
    let path = format!("/v2/{repository}/referrers/{subject}");
    let last = last.map(Digest::as_str);
    with_query(path, [("artifactType", artifact_type), ("last", last)])
}

fn paged(path: String, page: &Page) -> String {
    let limit = page.limit.map(|limit| limit.to_string());
    let last = page.last.as_deref();
    with_query(path, [("n", limit.as_deref()), ("last", last)])
}

fn with_query<'a>(
    path: String,
    parameters: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => path,
        query => format!("{path}?{query}"),
    }
}
