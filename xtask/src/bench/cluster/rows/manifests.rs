//! Requests for manifests, on many connections that stay open.

use std::time::Duration;

use anyhow::Result;

use super::Round;
use crate::bench::cluster::meter::Done;
use crate::bench::cluster::results::Subject;
use crate::bench::cluster::scale::Scale;
use crate::bench::cluster::world::World;
use crate::bench::load::{blow, open, open_spread};
use crate::bench::rows::storm;
use crate::bench::statistics::percentile;

/// How long each server is asked before anything is measured.
const WARM_UP: Duration = Duration::from_millis(200);

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

/// Has every server answer on many connections once: so its connections to the database, and what it keeps prepared there, are not
/// what is measured.
pub(super) async fn warm(world: &World, scale: &Scale) -> Result<()> {
    let [(_, by_tag), (_, by_digest), _] = storm::cases(&storm::images());
    for fleet in world.fleets() {
        for address in fleet.addresses(scale.most_servers()) {
            let mut connections = open(address, storm::CONNECTIONS).await?;
            for requests in [&by_tag, &by_digest] {
                blow(&mut connections, requests, WARM_UP).await?;
            }
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
