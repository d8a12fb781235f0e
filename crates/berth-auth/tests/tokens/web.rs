//! A web server on this machine that answers what a test tells it to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Clone)]
pub(crate) enum Page {
    Document(String),
    /// One that comes after this.
    Slow(Duration, String),
    /// One with no length, after this many spaces.
    Padded(usize, String),
    Redirect(String),
    /// 503.
    Down,
}

pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pages: Arc<Pages>,
}

#[derive(Default)]
struct Pages {
    by_path: Mutex<HashMap<String, Page>>,
    requests: AtomicUsize,
}

impl Web {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With TLS, if there is a configuration for it.
    pub(crate) async fn start_with(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Arc::<Pages>::default();
        let served = Arc::clone(&pages);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (pages, tls) = (Arc::clone(&served), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => pages.answer(stream).await,
                            Err(_) => None,
                        },
                        None => pages.answer(stream).await,
                    }
                });
            }
        });
        Self { address, pages }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.pages
            .by_path
            .lock()
            .unwrap()
            .insert(path.to_owned(), page);
    }

    pub(crate) fn requests(&self) -> usize {
        self.pages.requests.load(Ordering::Relaxed)
    }
}

impl Pages {
    /// Answers one request. `None` when the client hangs up.
    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.ok()?);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = String::from_utf8(request).ok()?;
        let path = request.split(' ').nth(1)?;
        let page = self.by_path.lock().unwrap().get(path).cloned();
        let close = "connection: close\r\n";
        let answer = match page {
            Some(Page::Document(text)) => document(&text),
            Some(Page::Slow(after, text)) => {
                tokio::time::sleep(after).await;
                document(&text)
            }
            Some(Page::Padded(spaces, text)) => {
                let spaces = " ".repeat(spaces);
                format!("HTTP/1.1 200 OK\r\n{close}\r\n{spaces}{text}")
            }
            Some(Page::Redirect(to)) => {
                format!("HTTP/1.1 302 Found\r\n{close}location: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Some(Page::Down) => {
                format!("HTTP/1.1 503 Down\r\n{close}content-length: 0\r\n\r\n")
            }
            None => format!("HTTP/1.1 404 Not Found\r\n{close}content-length: 0\r\n\r\n"),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()
    }
}

fn document(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    )
}
