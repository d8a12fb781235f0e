use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use berth_registry::BlobError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tracing::{Span, error, info};
use uuid::Uuid;

use crate::responses::{REQUEST_ID, ResponseBody};

/// The id of a request: the client's or a proxy's, if it sent a sensible one, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sensible = |value: &&HeaderValue| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
    };
    if let Some(value) = headers.get(REQUEST_ID).filter(is_sensible) {
        return value.clone();
    }
    let id = Uuid::new_v4().hyphenated().to_string();
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

/// What the one line about a request says.
pub(crate) struct RequestLine {
    pub(crate) span: Span,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) route: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) started: Instant,
}

/// The body of an answer; writes the line about its request when it has been sent or given up.
pub(crate) struct LoggedBody {
    body: ResponseBody,
    sent: u64,
    line: RequestLine,
}

impl LoggedBody {
    pub(crate) fn new(body: ResponseBody, line: RequestLine) -> Self {
        Self {
            body,
            sent: 0,
            line,
        }
    }
}

impl Body for LoggedBody {
    type Data = Bytes;
    type Error = BlobError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BlobError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.sent += frame.data_ref().map_or(0, |bytes| bytes.len() as u64),
            Some(Err(error)) => {
                let _entered = self.line.span.enter();
                error!(%error, "an answer breaks off: the blob cannot be read");
            }
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LoggedBody {
    fn drop(&mut self) {
        let _entered = self.line.span.enter();
        let is_sent = self.body.size_hint().exact() == Some(0);
        // To the microsecond: what is finer is noise, and long to read.
        let microseconds = self.line.started.elapsed().as_micros();
        let milliseconds = microseconds as f64 / 1000.0;
        info!(
            method = %self.line.method,
            route = self.line.route,
            path = self.line.path,
            status = self.line.status.as_u16(),
            bytes = self.sent,
            milliseconds,
            complete = is_sent || self.line.method == Method::HEAD,
            "request"
        );
    }
}
