//! What the servers are loaded with: one module for each subject.

mod images;
mod manifests;
mod pulls;
mod pushes;

use anyhow::{Context, Result};

use super::fleet::{Delivery, Fleet};
use super::meter::{Done, metered};
use super::results::{Series, Subject, add};
use super::scale::Scale;
use super::world::World;

/// One round: a world, and where its samples go.
pub(super) struct Round<'a> {
    pub(super) number: usize,
    pub(super) world: &'a World,
    pub(super) scale: &'a Scale,
    pub(super) series: &'a mut Vec<Series>,
}

impl Round<'_> {
    /// Measures every subject with every number of servers.
    pub(super) async fn measure(&mut self) -> Result<()> {
        manifests::prepare(self.world).await?;
        manifests::warm(self.world, self.scale).await?;
        let pulled = pulls::prepare(self.world, self.scale).await?;
        let mut pushes = pushes::Pushes::new();
        let mut images = images::Images::new();
        for servers in self.scale.servers {
            manifests::measure(self, *servers).await?;
            images.measure(self, *servers).await?;
            pulls::measure(self, *servers, &pulled).await?;
            pushes.measure(self, *servers).await?;
        }
        Ok(())
    }

    /// Does work with so many servers of a fleet, and adds what it took.
    async fn meter(
        &mut self,
        what: (Subject, &str),
        servers: usize,
        fleet: &Fleet,
        work: impl Future<Output = Result<Done>>,
    ) -> Result<()> {
        let sample = metered(self.world, fleet, servers, work).await;
        let sample = sample.with_context(|| fleet.complaints())?;
        let name = fleet.registry.name();
        let rate = sample.units / sample.seconds;
        let (subject, case) = what;
        let rate = match subject {
            Subject::Manifests => format!("{rate:.0} requests/s"),
            Subject::Images => format!("{rate:.0} images/s"),
            Subject::Pulls | Subject::Pushes => format!("{:.0} MB/s", rate / 1e6),
        };
        let number = self.number + 1;
        println!("round {number}  {servers} of {name:<12}  {case:<20}  {rate}");
        add(self.series, what, fleet.registry, servers, sample);
        Ok(())
    }
}

/// The name of a case that is about how bytes come to the client.
fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Streamed => "streamed",
        Delivery::Cached => "from the cache",
        Delivery::Redirected => "redirected",
    }
}
