//! Pulls of one blob, which is in the page cache of the machine.

use anyhow::{Context, Result, ensure};
use berth_spec::Digest;
use futures_util::future::try_join_all;

use super::{Round, delivery};
use crate::bench::cluster::fleet::{Delivery, Fleet};
use crate::bench::cluster::meter::Done;
use crate::bench::cluster::results::Subject;
use crate::bench::cluster::scale::Scale;
use crate::bench::cluster::world::World;
use crate::bench::content::Content;
use crate::bench::http::{Connection, Request};
use crate::bench::load::{open, open_spread};
use crate::bench::push::{self, Way};

const CONNECTIONS: usize = 12;

/// What is pulled.
pub(super) struct Pulled {
    digest: Digest,
    size: u64,
}

/// Stores the blob, and has each server send it once: so whoever has a cache has it there.
pub(super) async fn prepare(world: &World, scale: &Scale) -> Result<Pulled> {
    let mut content = Content::new(1, scale.pulled);
    let digest = content.digest();
    for fleet in world.streaming() {
        for address in fleet.addresses(1) {
            let mut connection = Connection::open(address).await?;
            let way = Way::SinglePut;
            push::content(&mut connection, "pull", &mut content, &digest, way).await?;
        }
    }
    let pulled = Pulled {
        digest,
        size: content.size(),
    };
    for fleet in world.fleets() {
        let servers = scale.most_servers();
        pull(world, fleet, servers, servers, 1, &pulled).await?;
    }
    Ok(pulled)
}

pub(super) async fn measure(round: &mut Round<'_>, servers: usize, pulled: &Pulled) -> Result<()> {
    let (world, pulls) = (round.world, round.scale.pulls);
    for fleet in world.fleets() {
        let work = pull(world, fleet, servers, CONNECTIONS, pulls, pulled);
        let what = (Subject::Pulls, delivery(fleet.delivery));
        round.meter(what, servers, fleet, work).await?;
    }
    Ok(())
}

/// Pulls the blob so many times on each of so many connections at once.
async fn pull(
    world: &World,
    fleet: &Fleet,
    servers: usize,
    connections: usize,
    pulls: usize,
    pulled: &Pulled,
) -> Result<Done> {
    let request = Request::get(&format!("/v2/pull/blobs/{}", pulled.digest));
    let mut to_servers = open_spread(&fleet.addresses(servers), connections).await?;
    let mut to_bucket = match fleet.delivery {
        Delivery::Redirected => open(world.gateway.address, connections).await?,
        Delivery::Streamed | Delivery::Cached => Vec::new(),
    };
    let mut to_bucket = to_bucket.iter_mut();
    let clients: Vec<_> = to_servers
        .iter_mut()
        .map(|server| (server, to_bucket.next()))
        .collect();
    let clients = clients.into_iter().map(async |(server, mut bucket)| {
        for _ in 0..pulls {
            let length = pull_once(server, bucket.as_deref_mut(), &request).await?;
            ensure!(length == pulled.size, "a blob is {length} bytes");
        }
        Ok(())
    });
    try_join_all(clients).await?;
    Ok(Done {
        units: pulled.size as f64 * (connections * pulls) as f64,
        milliseconds_p99: None,
    })
}

/// Pulls from a server, or from where it sends the client.
async fn pull_once(
    server: &mut Connection,
    bucket: Option<&mut Connection>,
    request: &Request,
) -> Result<u64> {
    let answer = server.send(request).await?;
    let Some(bucket) = bucket else {
        push::expect(&answer, 200, "GET of a blob")?;
        return Ok(answer.length);
    };
    push::expect(&answer, 307, "GET of a blob that is elsewhere")?;
    let place = answer.location.as_deref().and_then(Request::get_url);
    let request = place.context("a redirect leads nowhere")?;
    let answer = bucket.send(&request).await?;
    push::expect(&answer, 200, "GET of an object")?;
    Ok(answer.length)
}
