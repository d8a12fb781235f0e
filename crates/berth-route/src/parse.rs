use berth_spec::{Reference, ReferenceError, RepositoryName, SessionId};
use http::Method;

use crate::query::Query;
use crate::resource::Resource;
use crate::{Route, RouteError, Session};

impl Route {
    /// Reads a request. `path` and `query` are as they stand in the request line.
    ///
    /// # Errors
    /// [`RouteError`]: the first of an unknown path, an invalid repository name, a method that the
    /// resource does not take, an invalid reference, an invalid parameter.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, RouteError> {
        let resource = Resource::of_path(path)?;
        let allow = resource.allow();
        if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
            let method = method.clone();
            return Err(RouteError::Method { method, allow });
        }
        let query = Query::of(query);
        match resource {
            Resource::Base => Ok(Self::Base),
            Resource::Catalog => Ok(Self::Catalog(query.page()?)),
            Resource::Tags(repository) => Ok(Self::ListTags {
                repository,
                page: query.page()?,
            }),
            Resource::Manifest(repository, reference) => {
                manifest(method, repository, &reference, &query)
            }
            Resource::Blob(repository, digest) => {
                let digest = digest.parse()?;
                Ok(match *method {
                    Method::DELETE => Self::DeleteBlob { repository, digest },
                    _ => Self::GetBlob { repository, digest },
                })
            }
            Resource::Uploads(repository) => Ok(Self::StartUpload {
                repository,
                start: query.start_upload()?,
            }),
            Resource::Session(repository, id) => session(method, repository, &id, &query),
            Resource::Referrers(repository, subject) => Ok(Self::ListReferrers {
                repository,
                subject: subject.parse()?,
                artifact_type: query.artifact_type(),
                last: query.last_digest()?,
            }),
        }
    }

    /// A short name for logs, without anything that the request chose.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog(_) => "catalog",
            Self::ListTags { .. } => "list_tags",
            Self::GetManifest { .. } => "get_manifest",
            Self::PutManifest { .. } => "put_manifest",
            Self::DeleteManifest { .. } => "delete_manifest",
            Self::GetBlob { .. } => "get_blob",
            Self::DeleteBlob { .. } => "delete_blob",
            Self::StartUpload { .. } => "start_upload",
            Self::UploadStatus(_) => "upload_status",
            Self::AppendUpload(_) => "append_upload",
            Self::FinishUpload { .. } => "finish_upload",
            Self::CancelUpload(_) => "cancel_upload",
            Self::ListReferrers { .. } => "list_referrers",
        }
    }
}

fn manifest(
    method: &Method,
    repository: RepositoryName,
    reference: &str,
    query: &Query<'_>,
) -> Result<Route, RouteError> {
    let pushes = method == Method::PUT;
    let reference = reference.parse().map_err(|error| match error {
        ReferenceError::Digest(error) => RouteError::Digest(error),
        ReferenceError::Tag(error) if pushes => RouteError::TagInvalid(error),
        ReferenceError::Tag(error) => RouteError::TagUnknown(error),
    })?;
    Ok(match *method {
        Method::PUT => Route::PutManifest {
            repository,
            tags: match reference {
                Reference::Digest(_) => query.tags()?,
                Reference::Tag(_) => Vec::new(),
            },
            reference,
        },
        Method::DELETE => Route::DeleteManifest {
            repository,
            reference,
        },
        _ => Route::GetManifest {
            repository,
            reference,
        },
    })
}

fn session(
    method: &Method,
    repository: RepositoryName,
    id: &str,
    query: &Query<'_>,
) -> Result<Route, RouteError> {
    let id: SessionId = id.parse()?;
    let session = Session { repository, id };
    Ok(match *method {
        Method::PATCH => Route::AppendUpload(session),
        Method::PUT => Route::FinishUpload {
            session,
            digest: query.digest()?,
        },
        Method::DELETE => Route::CancelUpload(session),
        _ => Route::UploadStatus(session),
    })
}
