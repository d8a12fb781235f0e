//! What is measured: one module for each row.

mod growth;
mod image;
mod images;
mod pull;
mod push;
mod reclaim;
pub(super) mod small_image;
mod start;
pub(super) mod storm;

use std::path::PathBuf;

use anyhow::Result;

use super::options::Scale;
use super::registries::{Program, Running};
use super::results::{Measurements, Registry, Row};

/// What the rows work with.
pub(super) struct Bench {
    pub(super) scale: Scale,
    pub(super) programs: Vec<Program>,
    /// Where data folders are made.
    pub(super) folder: PathBuf,
    /// The registries that [`Row::Growth`] filled with tags, for [`Row::Start`].
    grown: Option<Vec<Running>>,
}

impl Bench {
    pub(super) fn new(scale: Scale, programs: Vec<Program>, folder: PathBuf) -> Self {
        Self {
            scale,
            programs,
            folder,
            grown: None,
        }
    }

    /// Measures a row.
    pub(super) async fn measure(&mut self, row: Row) -> Result<Measurements> {
        println!("\n== {}", row.name());
        match row {
            Row::Pull => pull::measure(self).await,
            Row::Push => push::measure(self).await,
            Row::Storm => storm::measure(self).await,
            Row::Images => images::measure(self).await,
            Row::Growth => growth::measure(self).await,
            Row::Start => start::measure(self).await,
            Row::Reclaim => reclaim::measure(self).await,
            Row::Image => image::measure(self).await,
        }
    }

    /// Starts every registry, each with a fresh data folder.
    async fn start_all(&self) -> Result<Vec<Running>> {
        let mut servers = Vec::new();
        for program in &self.programs {
            servers.push(program.start(&self.folder).await?);
        }
        Ok(servers)
    }
}

fn progress(round: usize, registry: Registry, case: &str, text: &str) {
    let (round, name) = (round + 1, registry.name());
    println!("round {round}  {name:<12}  {case:<32}  {text}");
}
