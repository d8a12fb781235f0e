//! Pushes of many small images.

use std::cell::Cell;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::Round;
use crate::bench::cluster::meter::Done;
use crate::bench::cluster::results::Subject;
use crate::bench::load::open_spread;
use crate::bench::rows::small_image::SmallImage;

const CONNECTIONS: usize = 16;
const LAYERS: usize = 2;

const CASES: [(&str, bool); 2] = [("one repository", true), ("one for each image", false)];

/// What is pushed: no image twice.
pub(super) struct Images {
    next: Cell<usize>,
}

impl Images {
    pub(super) fn new() -> Self {
        Self { next: Cell::new(0) }
    }

    pub(super) async fn measure(&mut self, round: &mut Round<'_>, servers: usize) -> Result<()> {
        for (case, is_one_repository) in CASES {
            for fleet in round.world.streaming() {
                let addresses = fleet.addresses(servers);
                let mut connections = open_spread(&addresses, CONNECTIONS).await?;
                let end = Instant::now() + round.scale.duration;
                let workers = connections.iter_mut().map(async |connection| {
                    let mut pushed = 0;
                    while Instant::now() < end {
                        let number = self.next.replace(self.next.get() + 1);
                        let repository = match is_one_repository {
                            true => "images".to_owned(),
                            false => format!("images/{number}"),
                        };
                        let image = SmallImage::new(number, LAYERS);
                        let tag = format!("v{number}");
                        image.push(connection, &repository, &tag).await?;
                        pushed += 1;
                    }
                    anyhow::Ok(pushed)
                });
                let work = async {
                    let pushed: Vec<u32> = try_join_all(workers).await?;
                    Ok(Done {
                        units: f64::from(pushed.iter().sum::<u32>()),
                        milliseconds_p99: None,
                    })
                };
                let what = (Subject::Images, case);
                round.meter(what, servers, fleet, work).await?;
            }
        }
        Ok(())
    }
}
