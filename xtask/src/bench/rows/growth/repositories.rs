use anyhow::Result;
use berth_spec::Digest;

use super::{Bench, CONNECTIONS, Probe, growing, page};
use crate::bench::http::{Connection, Request};
use crate::bench::load::{for_each, open};
use crate::bench::push;
use crate::bench::registries::Running;
use crate::bench::results::Measurements;

/// Where every repository has its only blob from.
const SOURCE: &str = "source";
const BLOB: &[u8] = b"{}";

pub(super) async fn measure(bench: &Bench, measurements: &mut Measurements) -> Result<()> {
    let digest = Digest::sha256(BLOB);
    let servers = bench.start_all().await?;
    for server in &servers {
        let mut connection = Connection::open(server.address).await?;
        push::blob(&mut connection, SOURCE, BLOB, &digest).await?;
    }
    let mut filled = 0;
    for &size in bench.scale.sizes {
        let growing = growing(&servers, size);
        for server in &growing {
            println!("{}: up to {size} repositories", server.registry.name());
            let mut connections = open(server.address, CONNECTIONS).await?;
            for_each(
                &mut connections,
                filled..size,
                async |connection, number| {
                    push::mount(connection, &repository(number), SOURCE, BLOB, &digest).await
                },
            )
            .await?;
        }
        filled = size;
        measure_at(bench, size, &growing, measurements).await?;
    }
    Ok(())
}

async fn measure_at(
    bench: &Bench,
    size: usize,
    servers: &[&Running],
    measurements: &mut Measurements,
) -> Result<()> {
    let page = Request::get(&format!("/v2/_catalog?{}", page(size, repository)));
    let work = async |connection: &mut Connection, _| {
        push::is_served(&connection.send(&page).await?, "a catalog page")
    };
    let probe = Probe {
        case: "catalog page, by repositories",
        size,
        rounds: bench.scale.rounds,
        requests: bench.scale.requests,
    };
    probe.measure(servers, measurements, work).await
}

/// Repositories in the order of their numbers.
fn repository(number: usize) -> String {
    format!("growth/r{number:07}")
}
