use berth_audit::Unwritable;
use berth_auth::{AuthenticationError, TokenError};
use berth_registry::{
    BlobError, BodyError, MetadataError, RecordsError, RegistryError, UploadError,
};
use berth_route::RouteError;
use berth_spec::{Digest, ErrorBody, ErrorCode, ErrorEntry};
use http::{HeaderName, StatusCode, header};
use tracing::error;

use crate::Refused;
use crate::large_bodies::NoRoom;
use crate::refusals::{Denied, Unauthorized};
use crate::request_body::Stalled;
use crate::responses::Answer;

/// Why a request was not served: everything that becomes an error answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The `Content-Range` of a chunk cannot be read.
    #[error("Content-Range {0:?} is not of the form <first byte>-<last byte>")]
    ContentRange(String),
    /// The `Range` of a blob asks for bytes that it does not have.
    #[error("the blob has {size} bytes, and none of the range asked for")]
    RangeUnsatisfiable { size: u64 },
    /// The body of a manifest broke off.
    #[error("the request ended early: {0}")]
    Body(BodyError),
    /// Too many large answers and manifests are under way.
    #[error("the registry has no room for one more large manifest or list now; try again soon")]
    NoRoom,
    /// The client asks for too much.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody knows who asks, and that is no reason to ask again for a credential.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// Nobody knows who asks, or the token is for something else.
    #[error(transparent)]
    Unauthorized(Unauthorized),
    /// The client may not do this.
    #[error(transparent)]
    Denied(Denied),
    /// A browser sends this for a page of another site.
    #[error(
        "a web page of another site asks for this change; if the page is the registry's own, set public_url to its address"
    )]
    FromElsewhere,
    /// What cannot be recorded may not be changed.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The client gets no token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<NoRoom> for Failure {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// The one place where errors become codes of the specification.
pub(crate) fn answer(failure: &Failure) -> Answer {
    match failure {
        Failure::Route(error) => {
            let answer = with_status(error.status(), error.code(), error.to_string());
            with_header(answer, header::ALLOW, error.allow())
        }
        Failure::Registry(error) => registry(error),
        Failure::ContentRange(_) => plain(ErrorCode::BlobUploadInvalid, failure),
        Failure::RangeUnsatisfiable { .. } => with_status(
            StatusCode::RANGE_NOT_SATISFIABLE,
            ErrorCode::SizeInvalid,
            failure.to_string(),
        ),
        Failure::NoRoom => {
            plain(ErrorCode::TooManyRequests, failure).header(header::RETRY_AFTER, "1")
        }
        Failure::Refused(refused) => plain(ErrorCode::TooManyRequests, refused)
            .header(header::RETRY_AFTER, refused.seconds()),
        Failure::Unauthorized(refused) => {
            plain(ErrorCode::Unauthorized, refused).challenges(&refused.challenges)
        }
        Failure::FromElsewhere => plain(ErrorCode::Denied, failure),
        Failure::Denied(denied) => plain(ErrorCode::Denied, denied),
        Failure::Authentication(error) => not_authenticated(error),
        Failure::Token(error) => no_token(error),
        Failure::Unwritable(_) => with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unknown,
            failure.to_string(),
        ),
        Failure::Body(source) => with_status(
            status_of_broken_body(source),
            ErrorCode::ManifestInvalid,
            failure.to_string(),
        ),
    }
}

fn not_authenticated(error: &AuthenticationError) -> Answer {
    match error {
        AuthenticationError::TooManyAttempts { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            plain(ErrorCode::TooManyRequests, error).header(header::RETRY_AFTER, seconds)
        }
        AuthenticationError::Store(error) => internal(error),
        AuthenticationError::Malformed
        | AuthenticationError::Invalid
        | AuthenticationError::Expired => plain(ErrorCode::Unauthorized, error),
    }
}

/// How to authenticate where tokens are to be had: not with a token.
const BASIC: &str = r#"Basic realm="berth", charset="UTF-8""#;

fn no_token(error: &TokenError) -> Answer {
    match error {
        TokenError::InvalidRequest(_) | TokenError::UnsupportedGrantType => with_status(
            StatusCode::BAD_REQUEST,
            ErrorCode::Unsupported,
            error.to_string(),
        ),
        TokenError::InvalidGrant => {
            plain(ErrorCode::Unauthorized, error).challenges(&[BASIC.to_owned()])
        }
        TokenError::TooManyAttempts { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            plain(ErrorCode::TooManyRequests, error).header(header::RETRY_AFTER, seconds)
        }
        TokenError::Unavailable(cause) => {
            error!(error = %cause, "tokens cannot be issued");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            with_status(status, ErrorCode::Unknown, error.to_string())
        }
    }
}

fn registry(failure: &RegistryError) -> Answer {
    match failure {
        RegistryError::RepositoryUnknown(_) => plain(ErrorCode::NameUnknown, failure),
        RegistryError::ManifestUnknown { .. } => plain(ErrorCode::ManifestUnknown, failure),
        RegistryError::BlobUnknown { .. } => plain(ErrorCode::BlobUnknown, failure),
        RegistryError::TagDeletionOff => {
            plain(ErrorCode::Unsupported, failure).header(header::ALLOW, "GET, HEAD, PUT")
        }
        RegistryError::TagImmutable(_) | RegistryError::QuotaExceeded(_) => {
            plain(ErrorCode::Denied, failure)
        }
        RegistryError::NotAsExpected(_) => with_status(
            StatusCode::PRECONDITION_FAILED,
            ErrorCode::Denied,
            failure.to_string(),
        ),
        RegistryError::ManifestTooLarge { .. } => with_status(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::ManifestInvalid,
            failure.to_string(),
        ),
        RegistryError::ContentType(_) | RegistryError::Manifest(_) => {
            plain(ErrorCode::ManifestInvalid, failure)
        }
        RegistryError::ManifestDigestMismatch { .. } => plain(ErrorCode::DigestInvalid, failure),
        RegistryError::ReferencesUnknown { missing, .. } => references_unknown(missing),
        RegistryError::Upload(error) => upload(error),
        RegistryError::Metadata(MetadataError::StorageFull) => storage_full(),
        RegistryError::Blob(BlobError::StorageFull) => storage_full(),
        // The client has done nothing wrong, and will not meet this again.
        RegistryError::Metadata(MetadataError::Forsaken(_)) => try_again(failure),
        RegistryError::Metadata(_) | RegistryError::Blob(_) | RegistryError::Interrupted => {
            internal(failure)
        }
    }
}

fn upload(failure: &UploadError) -> Answer {
    match failure {
        UploadError::Unknown(_) => plain(ErrorCode::BlobUploadUnknown, failure),
        UploadError::Busy(_) | UploadError::Lost(_) => with_status(
            StatusCode::CONFLICT,
            ErrorCode::BlobUploadInvalid,
            failure.to_string(),
        ),
        UploadError::OutOfOrder { .. } => with_status(
            StatusCode::RANGE_NOT_SATISFIABLE,
            ErrorCode::BlobUploadInvalid,
            failure.to_string(),
        ),
        UploadError::LengthMismatch { .. } => plain(ErrorCode::SizeInvalid, failure),
        UploadError::DigestMismatch { .. } => plain(ErrorCode::DigestInvalid, failure),
        UploadError::Interrupted { source, .. } => with_status(
            status_of_broken_body(source),
            ErrorCode::BlobUploadInvalid,
            failure.to_string(),
        ),
        UploadError::Blob(BlobError::StorageFull)
        | UploadError::Records(RecordsError::StorageFull) => storage_full(),
        UploadError::Blob(BlobError::StagedBytesMissing { .. }) | UploadError::HasherState(_) => {
            error!(error = %failure, "an upload session has lost its bytes");
            plain(ErrorCode::BlobUploadUnknown, failure)
        }
        // Of a blob that was pushed whole: nobody else has its session, but its bytes were taken for those of nobody.
        UploadError::Blob(BlobError::Superseded(_)) => try_again(
            &"the bytes of this request were removed before they became a blob; push it again",
        ),
        UploadError::Blob(_) | UploadError::Records(_) => internal(failure),
    }
}

fn status_of_broken_body(source: &BodyError) -> StatusCode {
    match source.is::<Stalled>() {
        true => StatusCode::REQUEST_TIMEOUT,
        false => StatusCode::BAD_REQUEST,
    }
}

/// How many missing blobs and manifests are named one by one. No image has so many; a manifest that is
/// made to have them would get an answer that is larger than itself.
const MOST_NAMED: usize = 500;

fn references_unknown(missing: &[Digest]) -> Answer {
    let entry = |digest: &Digest| ErrorEntry {
        code: ErrorCode::ManifestBlobUnknown,
        message: format!(
            "the manifest refers to {digest}, which this repository does not have; push or mount it first"
        ),
        detail: Some(serde_json::json!({ "digest": digest })),
    };
    let (named, more) = missing.split_at(missing.len().min(MOST_NAMED));
    let mut errors: Vec<ErrorEntry> = named.iter().map(entry).collect();
    if !more.is_empty() {
        errors.push(ErrorEntry {
            code: ErrorCode::ManifestBlobUnknown,
            message: format!(
                "the manifest refers to {} more that this repository does not have",
                more.len()
            ),
            detail: None,
        });
    }
    let body = ErrorBody { errors };
    Answer::json(ErrorCode::ManifestBlobUnknown.status(), &body)
}

fn storage_full() -> Answer {
    error!("the disk is full: pushes fail until there is room again, pulls go on");
    with_status(
        StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::Unknown,
        "the registry's disk is full: pulls go on, pushes work again when its owner makes room"
            .to_owned(),
    )
}

/// What goes well if it is done once more.
fn try_again(failure: &impl ToString) -> Answer {
    with_status(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Unknown,
        failure.to_string(),
    )
    .header(header::RETRY_AFTER, "1")
}

/// A fault of the registry: the log says what it is, the client only where to look.
fn internal(failure: &dyn std::error::Error) -> Answer {
    error!(error = %failure, "a request failed");
    plain(
        ErrorCode::Unknown,
        &"the registry failed; its log has more under the X-Request-Id of this answer",
    )
}

fn plain(code: ErrorCode, message: &impl ToString) -> Answer {
    with_status(code.status(), code, message.to_string())
}

fn with_status(status: StatusCode, code: ErrorCode, message: String) -> Answer {
    Answer::json(status, &ErrorBody::new(code, message))
}

fn with_header(answer: Answer, name: HeaderName, value: Option<&'static str>) -> Answer {
    match value {
        Some(value) => answer.header(name, value),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use berth_spec::{BlobName, SessionId};

    use super::*;

    #[test]
    fn what_goes_well_once_more_says_when() {
        let name = BlobName::from(Digest::sha256(b"forsaken"));
        let lost = BlobError::Superseded(SessionId::random());
        let failures = [
            RegistryError::Metadata(MetadataError::Forsaken(name)),
            RegistryError::Upload(UploadError::Blob(lost)),
        ];
        for failure in failures {
            let answer = answer(&failure.into()).into_response();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        }
    }
}
