//! The HTTP client for buckets: TLS by rustls with ring, the roots of the system, and times that suit
//! what is asked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Sleep, sleep, timeout};
use tracing::warn;

use crate::Requests;

/// What is sent has at least this long for each of so many bytes.
const BYTES_PER_SECOND: u64 = 256 * 1024;

/// How long an unused connection is kept. S3 closes them a little later.
const IDLE: Duration = Duration::from_secs(15);

/// Makes clients. The options that a store would give them are passed over: these are for all alike.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    requests: Requests,
}

impl Connector {
    pub(crate) fn new(requests: Requests) -> Self {
        Self { requests }
    }

    fn client(&self) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
        let provider = Arc::new(ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .connect_timeout(self.requests.connect_within)
            .pool_idle_timeout(IDLE)
            // Whoever redirects would be given a signature that was made for another.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(client)
    }
}

/// The system's authorities, or those that `SSL_CERT_FILE` names.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        warn!(%error, "a certificate of the system's authorities is left out");
    }
    roots.add_parsable_certificates(system.certs);
    roots
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = self
            .client()
            .map_err(|source| object_store::Error::Generic {
                store: "HTTP client",
                source,
            })?;
        Ok(HttpClient::new(Timed {
            client,
            requests: self.requests.clone(),
        }))
    }
}

/// A client that waits no longer than is sensible.
#[derive(Debug)]
struct Timed {
    client: reqwest::Client,
    requests: Requests,
}

impl Timed {
    fn patience(&self, request: &HttpRequest) -> Duration {
        let length = request.body().content_length() as u64;
        let makes_work = match *request.method() {
            Method::POST => true,
            Method::PUT => length == 0,
            _ => false,
        };
        let patience = match makes_work {
            true => self.requests.work_within,
            false => self.requests.answer_within,
        };
        patience + Duration::from_secs(length / BYTES_PER_SECOND)
    }
}

#[async_trait]
impl HttpService for Timed {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let patience = self.patience(&request);
        let answer = timeout(patience, HttpService::call(&self.client, request)).await;
        let (head, body) = answer.map_err(|_| too_late())??.into_parts();
        let body = TimedBody {
            body,
            patience: self.requests.answer_within,
            waiting: None,
        };
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the bucket did not answer in time")]
struct TooLate;

fn too_late() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, TooLate)
}

pin_project_lite::pin_project! {
    /// A body that must come in time, while it is waited for.
    struct TimedBody {
        #[pin]
        body: HttpResponseBody,
        patience: Duration,
        waiting: Option<Pin<Box<Sleep>>>,
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(context) {
            *this.waiting = None;
            return Poll::Ready(frame);
        }
        let patience = *this.patience;
        let waiting = this
            .waiting
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(too_late())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
