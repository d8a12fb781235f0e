use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use berth_spec::media_types;

use super::{KEPT, REPOSITORY};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::push;

/// How long after an answer the next read is sent.
const PAUSE: Duration = Duration::from_millis(10);

/// What became of reads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reads {
    sent: usize,
    answered: usize,
    slowest_seconds: f64,
}

impl Reads {
    /// Counts one that was answered after so many seconds, or not at all.
    pub(super) fn add(&mut self, seconds: Option<f64>) {
        self.sent += 1;
        if let Some(seconds) = seconds {
            self.answered += 1;
            self.slowest_seconds = self.slowest_seconds.max(seconds);
        }
    }

    pub(super) fn percent_answered(&self) -> f64 {
        100.0 * self.answered as f64 / self.sent.max(1) as f64
    }

    /// How long the slowest of those took that were answered.
    pub(super) fn slowest_milliseconds(&self) -> Option<f64> {
        (self.answered > 0).then_some(self.slowest_seconds * 1e3)
    }
}

/// Does some work, and reads the manifest of the image that stays again and again meanwhile.
pub(super) async fn while_reading<T>(
    address: SocketAddr,
    work: impl Future<Output = Result<T>>,
) -> Result<(T, Reads)> {
    let is_done = Cell::new(false);
    let work = async {
        let done = work.await;
        is_done.set(true);
        done
    };
    let (done, reads) = tokio::join!(work, read_until(address, &is_done));
    Ok((done?, reads))
}

async fn read_until(address: SocketAddr, is_done: &Cell<bool>) -> Reads {
    let target = format!("/v2/{REPOSITORY}/manifests/{KEPT}");
    let headers = [("Accept", media_types::OCI_IMAGE_MANIFEST)];
    let request = Request::new("GET", &target, &headers, &Body::None);
    let mut reads = Reads::default();
    let mut connection = None;
    while !is_done.get() {
        let started = Instant::now();
        connection = read(address, connection, &request).await.ok();
        let seconds = started.elapsed().as_secs_f64();
        reads.add(connection.is_some().then_some(seconds));
        tokio::time::sleep(PAUSE).await;
    }
    reads
}

/// Reads on a connection, or on a new one.
async fn read(
    address: SocketAddr,
    connection: Option<Connection>,
    request: &Request,
) -> Result<Connection> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    push::expect(&connection.send(request).await?, 200, "GET of a manifest")?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_answered_has_a_time() {
        let mut reads = Reads::default();
        reads.add(None);
        assert_eq!(reads.percent_answered(), 0.0);
        assert_eq!(reads.slowest_milliseconds(), None);
        for seconds in [0.5, 0.25, 0.125] {
            reads.add(Some(seconds));
        }
        assert_eq!(reads.percent_answered(), 75.0);
        assert_eq!(reads.slowest_milliseconds(), Some(500.0));
    }

    #[tokio::test]
    async fn reads_without_a_server_are_not_answered() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let work = async {
            tokio::time::sleep(PAUSE).await;
            Ok(1)
        };
        let (done, reads) = while_reading(address, work).await.unwrap();
        assert_eq!((done, reads.percent_answered()), (1, 0.0));
        assert!(reads.sent > 0);
    }
}
