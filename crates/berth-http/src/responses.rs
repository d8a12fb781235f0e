use std::pin::Pin;
use std::task::{Context, Poll};

use berth_registry::{BlobError, ByteStream};
use berth_spec::{Digest, media_types};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use serde::Serialize;

use crate::errors::Failure;
use crate::large_bodies::{LARGE, LargeBodies, Room, hold};
use crate::mapped_body::MappedBody;
use crate::origin::Origin;

/// `Docker-Content-Digest`: the digest of the content that the answer is about.
pub(crate) const DOCKER_CONTENT_DIGEST: HeaderName =
    HeaderName::from_static("docker-content-digest");
/// `Docker-Distribution-Api-Version`: older clients tell a registry by it.
pub(crate) const API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
/// `Docker-Upload-UUID`: the id of an upload session, by itself.
pub(crate) const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// `OCI-Subject`: the subject of a pushed manifest was noted.
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// `OCI-Tag`: these tags were set by a push by digest.
pub(crate) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// `OCI-Filters-Applied`: the list of referrers was filtered so.
pub(crate) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// `X-Request-Id`: names the request in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How much is handed to the connection at once of what is in memory. A slow client over HTTP/2 must
/// take so much in the time that it has.
const PIECE: usize = 64 * 1024;

/// How many headers most answers have, as those about manifests do over HTTP/1.1; HTTP/2 adds one. The map for these takes less
/// than a KiB, and allocators keep that at hand; the next larger one takes more.
const HEADERS: usize = 6;

/// How many headers most other answers have.
pub(crate) const MORE_HEADERS: usize = 12;

/// The body of an answer.
pub(crate) enum ResponseBody {
    /// Bytes in memory, which may be none.
    Whole(Bytes),
    /// So many bytes of a blob.
    Stream {
        /// The bytes.
        bytes: ByteStream,
        /// How many are still to come.
        remaining: u64,
    },
    /// Bytes of a blob, from its file.
    Mapped(MappedBody),
}

impl ResponseBody {
    pub(crate) fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Whether it takes memory that others wait for.
    pub(crate) fn has_room(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.len() >= LARGE)
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BlobError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BlobError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Self::Stream { bytes, remaining } => bytes.poll_next_unpin(context).map(|piece| {
                piece.map(|piece| {
                    let piece = piece?;
                    *remaining = remaining.saturating_sub(piece.len() as u64);
                    Ok(Frame::data(piece))
                })
            }),
            Self::Mapped(body) => body
                .poll_piece(context)
                .map(|piece| piece.map(|piece| Ok(Frame::data(piece?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { remaining, .. } => SizeHint::with_exact(*remaining),
            Self::Mapped(body) => SizeHint::with_exact(body.remaining()),
        }
    }
}

/// An answer under construction.
pub(crate) struct Answer(Response<ResponseBody>);

impl Answer {
    /// An answer without a body.
    pub(crate) fn new(status: StatusCode) -> Self {
        Self::with_headers(status, HEADERS)
    }

    /// As [`Answer::new`], with so many headers in the end: the map need not grow on the way.
    pub(crate) fn with_headers(status: StatusCode, count: usize) -> Self {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = status;
        response.headers_mut().reserve(count);
        Self(response)
    }

    /// An answer whose body is JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self::new(status).json_body(value)
    }

    /// Gives it a body that is JSON.
    pub(crate) fn json_body(self, value: &impl Serialize) -> Self {
        // Everything that is answered so has text as its keys: this does not fail.
        let json = serde_json::to_vec(value).unwrap_or_default();
        self.header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(json))
    }

    /// Sets a header, replacing what it was. A value that cannot stand in a header is left out; none of
    /// the registry's own values is such a one.
    pub(crate) fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    /// Says how to authenticate: one header for each of these.
    pub(crate) fn challenges(mut self, values: &[String]) -> Self {
        for value in values {
            if let Ok(value) = HeaderValue::try_from(value) {
                self.0.headers_mut().append(header::WWW_AUTHENTICATE, value);
            }
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The digest of the content that it is about, if it says one.
    pub(crate) fn told_digest(&self) -> Option<Digest> {
        let digest = self.0.headers().get(DOCKER_CONTENT_DIGEST)?;
        digest.to_str().ok()?.parse().ok()
    }

    /// Says what the content is.
    pub(crate) fn digest(self, digest: &Digest) -> Self {
        self.header(DOCKER_CONTENT_DIGEST, digest.as_str())
    }

    /// Says where the content or the session is.
    pub(crate) fn location(self, url: String) -> Self {
        self.header(header::LOCATION, url)
    }

    /// Makes what it says about where something is fit the one who asked.
    pub(crate) fn located_from(self, origin: &Origin) -> Self {
        let location = self.0.headers().get(header::LOCATION);
        // One that leads elsewhere fits everybody.
        let location = location.filter(|location| !location.is_sensitive());
        let path = location.and_then(|path| path.to_str().ok());
        match path.map(|path| origin.location(path)) {
            Some(url) => self.location(url),
            None => self,
        }
    }

    /// Says where the next page is.
    pub(crate) fn next_page(self, url: &str) -> Self {
        self.header(header::LINK, format!("<{url}>; rel=\"next\""))
    }

    /// Declares the body to be an image index.
    pub(crate) fn image_index(self) -> Self {
        self.header(header::CONTENT_TYPE, media_types::OCI_IMAGE_INDEX)
    }

    /// Gives it a body.
    pub(crate) fn body(mut self, body: impl Into<ResponseBody>) -> Self {
        *self.0.body_mut() = body.into();
        self
    }

    /// What `make` answers, with room for its body if that is in memory and large.
    ///
    /// # Errors
    /// As `make`, and when there is no room for too long.
    pub(crate) async fn with_room<F>(
        large_bodies: &LargeBodies,
        make: impl Fn() -> F,
    ) -> Result<Self, Failure>
    where
        F: Future<Output = Result<Self, Failure>>,
    {
        let answer = make().await?;
        let size = answer.bytes_in_memory();
        if let Ok(room) = large_bodies.room_now(size) {
            return Ok(answer.room(room));
        }
        // Not held while waiting: that is what the room is for.
        drop(answer);
        let room = large_bodies.room(size).await?;
        Ok(make().await?.room(room))
    }

    fn bytes_in_memory(&self) -> usize {
        match self.0.body() {
            ResponseBody::Whole(bytes) => bytes.len(),
            ResponseBody::Stream { .. } | ResponseBody::Mapped(_) => 0,
        }
    }

    /// Keeps the room for a body in memory until all of it is taken.
    fn room(mut self, room: Room) -> Self {
        if let ResponseBody::Whole(bytes) = self.0.body_mut() {
            *bytes = hold(room, std::mem::take(bytes));
        }
        self
    }

    /// The answer to a request of this method. To `HEAD` it has no body, only its length: hyper sees to that
    /// over HTTP/1.1 alone, and a client over HTTP/2 takes such a body for a broken stream.
    pub(crate) fn answering(mut self, method: &Method) -> Self {
        if method != Method::HEAD {
            return self;
        }
        let body = std::mem::replace(self.0.body_mut(), Bytes::new().into());
        let length = body.size_hint().exact().filter(|length| *length > 0);
        match length {
            Some(length) if !self.0.headers().contains_key(header::CONTENT_LENGTH) => {
                self.header(header::CONTENT_LENGTH, length)
            }
            _ => self,
        }
    }

    /// The finished response.
    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        self.0
    }
}
