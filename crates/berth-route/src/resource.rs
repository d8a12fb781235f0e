use std::borrow::Cow;

use berth_spec::RepositoryName;
use percent_encoding::percent_decode_str;

use crate::RouteError;

/// What a path names, before method and query are looked at. The texts are unchecked.
#[derive(Debug)]
pub(crate) enum Resource {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags(RepositoryName),
    /// `/v2/<name>/manifests/<reference>`
    Manifest(RepositoryName, String),
    /// `/v2/<name>/blobs/<digest>`
    Blob(RepositoryName, String),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<session>`
    Session(RepositoryName, String),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(RepositoryName, String),
}

impl Resource {
    /// Reads a path from the right, by segment.
    pub(crate) fn of_path(path: &str) -> Result<Self, RouteError> {
        let path = decoded(path)?;
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some("/_catalog") => return Ok(Self::Catalog),
            Some(rest) => rest.strip_prefix('/').ok_or(RouteError::UnknownPath)?,
            None => return Err(RouteError::UnknownPath),
        };
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            [name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            // Before `blobs/<digest>`, which would read `uploads` as a digest.
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            [.., "manifests" | "blobs" | "referrers", ""] => Err(RouteError::UnknownPath),
            [name @ .., "manifests", reference] => {
                Ok(Self::Manifest(repository(name)?, (*reference).to_owned()))
            }
            [name @ .., "blobs", digest] => Ok(Self::Blob(repository(name)?, (*digest).to_owned())),
            [name @ .., "referrers", digest] => {
                Ok(Self::Referrers(repository(name)?, (*digest).to_owned()))
            }
            // Last, since `manifests` and its like are no session: the shorter endings go first.
            [name @ .., "blobs", "uploads", session] => {
                Ok(Self::Session(repository(name)?, (*session).to_owned()))
            }
            _ => Err(RouteError::UnknownPath),
        }
    }

    /// The methods that it takes, as the `Allow` header lists them.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Base => "GET, HEAD",
            Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Session(..) => "GET, PATCH, PUT, DELETE",
        }
    }
}

/// A path without escapes. Few have any.
fn decoded(path: &str) -> Result<Cow<'_, str>, RouteError> {
    match path.contains('%') {
        true => percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| RouteError::NotText),
        false => Ok(Cow::Borrowed(path)),
    }
}

/// The repository that the segments before an ending name.
fn repository(segments: &[&str]) -> Result<RepositoryName, RouteError> {
    match segments {
        [] | [""] => Err(RouteError::UnknownPath),
        _ => Ok(segments.join("/").parse()?),
    }
}
