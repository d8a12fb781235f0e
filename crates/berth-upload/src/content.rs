use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

/// Why the bytes of a request stopped before their end.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of a request, as they arrive. Asked for the next piece only when there is room for it.
pub type BodyStream = BoxStream<'static, Result<Bytes, BodyError>>;

/// Bytes to be appended to a session.
pub struct Content {
    /// Which bytes of the blob these are (`Content-Range`), if the client says so.
    pub range: Option<Range<u64>>,
    /// How many bytes these are (`Content-Length`), if the client says so.
    pub length: Option<u64>,
    /// The bytes.
    pub body: BodyStream,
}

impl Content {
    /// No bytes: what a `PUT` without a last chunk sends.
    pub fn empty() -> Self {
        Self::from_bytes("")
    }

    /// Bytes that are in memory already, without a range.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            range: None,
            length: Some(bytes.len() as u64),
            body: stream::once(async { Ok(bytes) }).boxed(),
        }
    }

    /// The same bytes, declared to be these of the blob.
    #[must_use]
    pub fn at(self, range: Range<u64>) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    /// How many bytes the client announced in any way.
    pub(crate) fn announced(&self) -> Option<u64> {
        let ranged = self
            .range
            .as_ref()
            .map(|range| range.end.saturating_sub(range.start));
        ranged.or(self.length)
    }
}
