use berth_blob::BlobError;
use berth_spec::{Digest, HasherStateError, SessionId};

use crate::{BodyError, RecordsError};

/// Why an upload session did not do what it was asked. Unless said otherwise, the session is as it
/// was before.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no such session in this repository, or it has expired.
    #[error(
        "there is no upload session {0} here; it may have ended or expired, so start a new one"
    )]
    Unknown(SessionId),
    /// Another request is working on the session.
    #[error(
        "another request is writing to upload session {0}; wait for it, ask for the status, and continue from there"
    )]
    Busy(SessionId),
    /// Another process goes on with the session. It holds what the status says: what this request sent may be among it.
    #[error(
        "upload session {0} was taken over by another replica; ask for the status, and continue from there"
    )]
    Lost(SessionId),
    /// The chunk does not start where the session stands.
    #[error("the chunk starts at byte {given}, but the upload session continues at byte {offset}")]
    OutOfOrder {
        /// Where the session stands.
        offset: u64,
        /// Where the chunk starts.
        given: u64,
    },
    /// The request holds another number of bytes than it announced.
    #[error("the request announced {announced} bytes, but holds {received}")]
    LengthMismatch {
        /// What `Content-Range` (or else `Content-Length`) says.
        announced: u64,
        /// What arrived, or what `Content-Length` says.
        received: u64,
    },
    /// The bytes do not have the digest that the client gave.
    #[error("the uploaded bytes have the digest {actual}, not {expected}")]
    DigestMismatch {
        /// The digest that the client gave.
        expected: Digest,
        /// The digest that the bytes have.
        actual: Digest,
    },
    /// The request ended before its body did. The session keeps what had arrived.
    #[error("the request ended early; the upload session keeps the first {kept} bytes")]
    Interrupted {
        /// How many bytes the session holds now.
        kept: u64,
        /// What happened to the request.
        #[source]
        source: BodyError,
    },
    /// The stored state of the hash cannot be used.
    #[error(transparent)]
    HasherState(#[from] HasherStateError),
    /// The bytes could not be stored or read.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The record could not be read or changed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}
