//! Requests for manifests, on many connections that stay open.

use anyhow::Result;

use super::Round;
use crate::bench::cluster::meter::Done;
use crate::bench::cluster::results::Subject;
use crate::bench::cluster::world::World;
use crate::bench::load::{blow, open_spread};
use crate::bench::rows::storm;
use crate::bench::statistics::percentile;

/// Stores what is pulled.
pub(super) async fn prepare(world: &World) -> Result<()> {
    let images = storm::images();
    for fleet in world.streaming() {
        for address in fleet.addresses(1) {
            storm::fill(address, &images).await?;
        }
    }
    Ok(())
}

pub(super) async fn measure(round: &mut Round<'_>, servers: usize) -> Result<()> {
    let cases = storm::cases(&storm::images());
    // A HEAD costs what a GET costs.
    let gets = cases.iter().filter(|(name, _)| name.starts_with("GET"));
    for (case, requests) in gets {
        for fleet in round.world.streaming() {
            let addresses = fleet.addresses(servers);
            let mut connections = open_spread(&addresses, storm::CONNECTIONS).await?;
            let duration = round.scale.duration;
            let work = async {
                let latencies = blow(&mut connections, requests, duration).await?;
                Ok(Done {
                    units: latencies.len() as f64,
                    milliseconds_p99: percentile(&latencies, 99),
                })
            };
            let what = (Subject::Manifests, *case);
            round.meter(what, servers, fleet, work).await?;
        }
    }
    Ok(())
}
