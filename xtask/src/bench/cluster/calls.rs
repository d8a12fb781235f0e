//! What one operation asks of the database and of the bucket.

mod counter;
mod operations;

use anyhow::Result;

use super::results::Calls;
use super::scale::Scale;
use super::world::World;
use counter::Counter;
use operations::{Client, OPERATIONS};

/// How often each operation is done before it is counted: by then connections are open and statements prepared.
const WARM_UP: usize = 3;

/// Counts for every operation, with one server of each kind.
pub(super) async fn count(world: &World, scale: &Scale) -> Result<Vec<Calls>> {
    let mut counted = Vec::new();
    let counter = Counter::new(world);
    for fleet in world.fleets() {
        let mut client = Client::new(fleet).await?;
        for operation in OPERATIONS {
            if operation.delivery != fleet.delivery {
                continue;
            }
            let times = match operation.is_large() {
                true => WARM_UP,
                false => scale.operations,
            };
            for _ in 0..WARM_UP {
                let act = client.prepare(operation.kind).await?;
                client.act(act).await?;
            }
            let mut acts = Vec::new();
            for _ in 0..times {
                acts.push(client.prepare(operation.kind).await?);
            }
            let before = counter.read()?;
            for act in acts {
                client.act(act).await?;
            }
            let calls = counter.since(&before, times, operation.name, fleet.registry)?;
            let (name, statements) = (fleet.registry.name(), calls.statements);
            let requests = calls.requests.values().sum::<f64>() + 0.0;
            let operation = operation.name;
            println!(
                "{name:<12}  {operation:<42}  {statements:.1} statements, {requests:.1} requests"
            );
            counted.push(calls);
        }
    }
    Ok(counted)
}
