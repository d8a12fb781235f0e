//! Clients that are sent to where a blob is stored.
#![allow(clippy::unwrap_used, clippy::panic)]

mod store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_http::{Origins, Setup, serve};
use berth_registry::{BlobStore, Content, MemoryMetadata, Redirects, Registry, Settings};
use berth_spec::{BlobName, Digest, RepositoryName};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use store::{Elsewhere, Urls};
use tokio::net::TcpListener;

const FROM: usize = 1000;

/// A registry over a store that has URLs, with a large blob and a small one.
struct World {
    store: Elsewhere,
    address: SocketAddr,
    clients: [Client<HttpConnector, Empty<Bytes>>; 2],
    large: Digest,
    small: Digest,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }
}

impl World {
    async fn new(origins: Origins) -> Self {
        let store = Elsewhere::new();
        let settings = Settings {
            redirects: Some(Redirects {
                from: FROM as u64,
                lifetime: Duration::from_secs(77),
            }),
            ..Settings::default()
        };
        let metadata = Arc::new(MemoryMetadata::default());
        let registry = Registry::new(metadata, Arc::new(store.clone()), settings);
        let repository: RepositoryName = "team/app".parse().unwrap();
        let mut digests = Vec::new();
        for size in [FROM, FROM - 1] {
            let content = vec![7; size];
            let digest = Digest::sha256(&content);
            let pushed = registry.push_blob(&repository, &digest, Content::from_bytes(content));
            pushed.await.unwrap();
            digests.push(digest);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let setup = Setup {
            origins,
            ..Setup::new(registry)
        };
        tokio::spawn(serve(listener, None, setup, std::future::pending()));
        let client = |http_2| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.http2_only(http_2).build_http()
        };
        Self {
            store,
            address,
            clients: [client(false), client(true)],
            small: digests.pop().unwrap(),
            large: digests.pop().unwrap(),
        }
    }

    /// What both versions of HTTP are answered, which is the same.
    async fn ask(&self, method: Method, digest: &Digest, headers: &[(&str, &str)]) -> Answer {
        let mut answers = Vec::new();
        for client in &self.clients {
            let url = format!("http://{}/v2/team/app/blobs/{digest}", self.address);
            let mut request = Request::builder().method(method.clone()).uri(url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Empty::new()).unwrap();
            answers.push(read(client.request(request).await.unwrap()).await);
        }
        let (second, first) = (answers.pop().unwrap(), answers.pop().unwrap());
        assert_eq!(first.status, second.status);
        assert_eq!(first.header("location"), second.header("location"));
        assert_eq!(first.body.len(), second.body.len());
        first
    }

    async fn get(&self, digest: &Digest, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, digest, headers).await
    }

    fn url(&self) -> String {
        let hex = self.large.hex();
        format!("https://bucket.example/{hex}?lifetime=77")
    }
}

async fn read<B: http_body::Body<Data = Bytes, Error = hyper::Error>>(
    response: Response<B>,
) -> Answer {
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

#[tokio::test]
async fn a_large_blob_is_elsewhere_also_in_parts() {
    let world = World::new(Origins::default()).await;
    for headers in [
        &[][..],
        &[("range", "bytes=10-19")],
        &[("range", "bytes=5000-")],
    ] {
        let answer = world.get(&world.large, headers).await;
        assert_eq!(answer.status, 307);
        assert_eq!(answer.header("location"), Some(&*world.url()));
        assert_eq!(
            answer.header("docker-content-digest"),
            Some(world.large.as_str())
        );
        // What a cache keeps of it would be no good soon.
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("etag"), None);
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn what_needs_no_bytes_is_answered_here() {
    let world = World::new(Origins::default()).await;
    let head = world.ask(Method::HEAD, &world.large, &[]).await;
    assert_eq!((head.status, head.header("location")), (200, None));
    assert_eq!(head.header("content-length"), Some("1000"));
    let tag = format!("\"{}\"", world.large);
    let known = world.get(&world.large, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status, 304);
    let other = world.get(&world.large, &[("if-match", "\"other\"")]).await;
    assert_eq!(other.status, 412);
}

#[tokio::test]
async fn a_small_blob_is_sent_from_here() {
    let world = World::new(Origins::default()).await;
    let answer = world.get(&world.small, &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, FROM - 1));
    let part = world.get(&world.small, &[("range", "bytes=10-19")]).await;
    assert_eq!((part.status, part.body.len()), (206, 10));
}

#[tokio::test]
async fn what_is_not_there_is_nowhere_else() {
    let world = World::new(Origins::default()).await;
    let unknown = Digest::sha256(b"never pushed");
    assert_eq!(world.get(&unknown, &[]).await.status, 404);
    // Known, and its bytes are lost: the client hears that it should push it again.
    let names = [BlobName::from(&world.large)];
    assert_eq!(world.store.blobs.delete(&names).await.unwrap(), 1);
    let lost = world.get(&world.large, &[]).await;
    assert_eq!((lost.status, lost.header("location")), (404, None));
}

#[tokio::test]
async fn without_a_url_the_bytes_come_from_here() {
    let world = World::new(Origins::default()).await;
    *world.store.urls.lock().unwrap() = Urls::Missing;
    let answer = world.get(&world.large, &[]).await;
    assert_eq!((answer.status, answer.body.len()), (200, FROM));
}

#[tokio::test]
async fn a_url_that_cannot_be_made_or_sent_is_a_fault() {
    let world = World::new(Origins::default()).await;
    for urls in [Urls::Failing, Urls::Broken] {
        *world.store.urls.lock().unwrap() = urls;
        let answer = world.get(&world.large, &[]).await;
        assert_eq!(answer.status, 500, "{urls:?}");
        assert_eq!(answer.header("location"), None);
        assert_eq!(answer.header("set-cookie"), None);
        let said = String::from_utf8_lossy(&answer.body);
        assert!(!said.contains("bucket.example"), "{said}");
    }
}

/// `Location` is a whole URL of the registry's own then, but for this one.
#[tokio::test]
async fn what_clients_call_the_registry_is_not_where_the_blob_is() {
    let origins = Origins {
        public_url: Some("https://registry.example".parse().unwrap()),
        ..Origins::default()
    };
    let world = World::new(origins).await;
    let answer = world.get(&world.large, &[]).await;
    assert_eq!(answer.header("location"), Some(&*world.url()));
}
