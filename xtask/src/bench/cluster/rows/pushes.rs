//! Pushes of large blobs, one on each connection.

use anyhow::Result;
use berth_spec::Digest;
use futures_util::future::try_join_all;

use super::Round;
use crate::bench::cluster::meter::Done;
use crate::bench::cluster::results::Subject;
use crate::bench::content::Content;
use crate::bench::load::open_spread;
use crate::bench::push::{self, Way};
use crate::command::{command, run_quietly};

const CONNECTIONS: usize = 6;

const WAYS: [(&str, Way); 2] = [
    ("single PUT", Way::SinglePut),
    ("chunks of 8 MiB", Way::Chunks),
];

/// What is pushed: no blob twice.
pub(super) struct Pushes {
    seed: u64,
}

impl Pushes {
    pub(super) fn new() -> Self {
        Self { seed: 1000 }
    }

    pub(super) async fn measure(&mut self, round: &mut Round<'_>, servers: usize) -> Result<()> {
        let size = round.scale.pushed;
        for (case, way) in WAYS {
            let mut contents = self.contents(size);
            for fleet in round.world.streaming() {
                // What an earlier push left for the kernel to write must not slow this one.
                run_quietly(&mut command("sync", &[]))?;
                let addresses = fleet.addresses(servers);
                let mut connections = open_spread(&addresses, CONNECTIONS).await?;
                let pairs: Vec<_> = connections.iter_mut().zip(&mut contents).collect();
                let pushes = pairs.into_iter().map(async |(connection, pushed)| {
                    let (content, digest) = pushed;
                    push::content(connection, "push", content, digest, way).await
                });
                let work = async {
                    try_join_all(pushes).await?;
                    Ok(Done {
                        units: size as f64 * CONNECTIONS as f64,
                        milliseconds_p99: None,
                    })
                };
                let what = (Subject::Pushes, case);
                round.meter(what, servers, fleet, work).await?;
            }
        }
        Ok(())
    }

    /// One for each connection. They are made and hashed before anything is measured.
    fn contents(&mut self, size: u64) -> Vec<(Content, Digest)> {
        let contents = (0..CONNECTIONS).map(|_| {
            self.seed += 1;
            let mut content = Content::new(self.seed, size);
            let digest = content.digest();
            (content, digest)
        });
        contents.collect()
    }
}
