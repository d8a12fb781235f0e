use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use berth_registry::BlobError;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tracing::{Span, error, info};
use uuid::Uuid;

use crate::activity::UnderWay;
use crate::responses::{REQUEST_ID, ResponseBody};
use crate::throttle::Permit;

/// The id of a request: the client's or a proxy's, if that is believed and sent a sensible one, else a new one.
pub(crate) fn request_id(headers: &HeaderMap, is_believed: bool) -> HeaderValue {
    let is_sensible = |value: &&HeaderValue| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
    };
    let sent = headers.get(REQUEST_ID).filter(|_| is_believed);
    if let Some(value) = sent.filter(is_sensible) {
        return value.clone();
    }
    let mut text = Uuid::encode_buffer();
    let id = Uuid::new_v4().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
}

/// The one line about a request, which is written when this is dropped: when the answer was sent or given
/// up, or the client went away before there was one.
pub(crate) struct RequestLine {
    pub(crate) span: Span,
    /// The address of the client.
    pub(crate) client: Arc<str>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) route: &'static str,
    pub(crate) started: Instant,
    /// Who asks, once that is known.
    pub(crate) identity: Option<String>,
    /// Held until the answer was sent: the client is served as long.
    pub(crate) permit: Option<Permit>,
    /// `None` as long as there is no answer.
    pub(crate) answered: Option<Answered>,
    pub(crate) under_way: Arc<UnderWay>,
}

/// How far the answer has come.
pub(crate) struct Answered {
    status: StatusCode,
    sent: u64,
    complete: bool,
}

impl Answered {
    /// An answer of which nothing was sent yet.
    pub(crate) fn new(status: StatusCode) -> Self {
        Self {
            status,
            sent: 0,
            complete: false,
        }
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        // To the microsecond: what is finer is noise, and long to read.
        let microseconds = self.started.elapsed().as_micros();
        let milliseconds = microseconds as f64 / 1000.0;
        let answered = self.answered.as_ref();
        info!(
            client = %self.client,
            method = self.method.as_str(),
            route = self.route,
            path = self.path,
            identity = self.identity,
            status = answered.map(|answered| answered.status.as_u16()),
            bytes = answered.map_or(0, |answered| answered.sent),
            milliseconds,
            complete = answered.is_some_and(|answered| answered.complete),
            "request"
        );
    }
}

/// The body of an answer, and the line about its request.
pub(crate) struct LoggedBody {
    body: ResponseBody,
    line: RequestLine,
}

impl LoggedBody {
    pub(crate) fn new(body: ResponseBody, line: RequestLine) -> Self {
        Self { body, line }
    }
}

impl Body for LoggedBody {
    type Data = Bytes;
    type Error = BlobError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BlobError>>> {
        self.line.under_way.goes_on();
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let under_way = &self.line.under_way;
        let frame = frame.map(|frame| Ok(frame?.map_data(|bytes| under_way.hand_over(bytes))));
        match (&frame, &mut self.line.answered) {
            (Some(Ok(frame)), Some(answered)) => {
                answered.sent += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            }
            (Some(Err(error)), _) => {
                let _entered = self.line.span.enter();
                error!(%error, "an answer breaks off: the blob cannot be read");
            }
            _ => {}
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
        if let Some(answered) = &mut self.line.answered {
            let is_sent = self.body.size_hint().exact() == Some(0);
            answered.complete = is_sent || self.line.method == Method::HEAD;
        }
    }
}
