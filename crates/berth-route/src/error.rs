use berth_spec::{
    DigestError, ErrorCode, RepositoryNameError, SessionIdError, TagError, UnsupportedAlgorithm,
};
use http::{Method, StatusCode};

/// Why a request is no [`Route`](crate::Route). The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The path is none of the specification's endpoints, or lacks a name or a reference.
    #[error(
        "there is nothing at this path; use /v2/, /v2/_catalog, or /v2/<name>/ followed by \
         manifests/<reference>, blobs/<digest>, blobs/uploads/, tags/list or referrers/<digest>"
    )]
    UnknownPath,
    /// The path does not decode to text.
    #[error("the path is not UTF-8 once its percent-encoding is decoded")]
    NotText,
    /// The name of the repository breaks the grammar.
    #[error(transparent)]
    Name(#[from] RepositoryNameError),
    /// The resource does not take this method.
    #[error("{method} is not supported here; use one of: {allow}")]
    Method {
        /// What was tried.
        method: Method,
        /// What the resource takes.
        allow: &'static str,
    },
    /// A digest is malformed, or of an algorithm that is not supported.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The algorithm asked for is not supported.
    #[error(transparent)]
    Algorithm(#[from] UnsupportedAlgorithm),
    /// `digest` and `digest-algorithm` contradict each other.
    #[error("the parameters digest and digest-algorithm name different algorithms; give only one")]
    AlgorithmsDiffer,
    /// An upload is to be finished without saying what it should be.
    #[error("finishing an upload needs the parameter digest=<algorithm>:<hex>")]
    DigestMissing,
    /// A manifest with a malformed tag is asked for: there can be none.
    #[error("no such manifest: {0}")]
    TagUnknown(TagError),
    /// A manifest is pushed with a malformed tag.
    #[error(transparent)]
    TagInvalid(TagError),
    /// No session has such an id.
    #[error(transparent)]
    SessionUnknown(#[from] SessionIdError),
    /// `n` is not a number.
    #[error("the parameter n={0:?} is not a number of entries, 0 or more")]
    Limit(String),
}

impl RouteError {
    /// The code for the error answer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPath => ErrorCode::NameUnknown,
            Self::NotText | Self::Name(_) => ErrorCode::NameInvalid,
            Self::Method { .. } | Self::Limit(_) => ErrorCode::Unsupported,
            Self::Digest(_) | Self::Algorithm(_) | Self::AlgorithmsDiffer | Self::DigestMissing => {
                ErrorCode::DigestInvalid
            }
            Self::TagUnknown(_) => ErrorCode::ManifestUnknown,
            Self::TagInvalid(_) => ErrorCode::ManifestInvalid,
            Self::SessionUnknown(_) => ErrorCode::BlobUploadUnknown,
        }
    }

    /// The status for the error answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Limit(_) => StatusCode::BAD_REQUEST,
            _ => self.code().status(),
        }
    }

    /// For the `Allow` header of a 405 answer: exactly the methods that the resource takes.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::Method { allow, .. } => Some(allow),
            _ => None,
        }
    }
}
