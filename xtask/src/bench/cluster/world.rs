use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::fleet::{Delivery, Fleet};
use super::gateway::Gateway;
use super::postgres::{self, Postgres};
use crate::bench::registries::Program;
use crate::bench::results::Registry;

/// The database of berth.
pub(super) const DATABASE: &str = "berth";

/// What servers are started with, and how their bytes are delivered.
const FLEETS: [(Registry, Delivery); 5] = [
    (Registry::Berth, Delivery::Streamed),
    (Registry::Distribution, Delivery::Streamed),
    (Registry::Berth, Delivery::Cached),
    (Registry::Berth, Delivery::Redirected),
    (Registry::Distribution, Delivery::Redirected),
];

/// A database, a bucket, and servers of both registries over them, all fresh. The servers of a registry are
/// all over the same data, however they deliver it: replicas of one registry.
pub(super) struct World {
    // Fields are dropped in order: servers end before what they need, and the folder goes last.
    fleets: Vec<Fleet>,
    pub(super) gateway: Gateway,
    pub(super) postgres: Postgres,
    _folder: TempDir,
}

/// Whether somebody counts what the servers ask of database and bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accounting {
    /// Nobody: it would cost time.
    Off,
    On,
}

impl World {
    /// Starts all, with so many servers of each kind.
    pub(super) async fn start(
        programs: &[Program],
        servers: usize,
        accounting: Accounting,
        parent: &Path,
    ) -> Result<Self> {
        let folder = tempfile::tempdir_in(parent)?;
        postgres::open_to_others(folder.path())?;
        let is_counting = accounting == Accounting::On;
        let settings: &[&str] = match is_counting {
            true => &["shared_preload_libraries=pg_stat_statements"],
            false => &[],
        };
        let postgres = Postgres::start(&folder.path().join("postgres"), settings)?;
        postgres.query("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        if is_counting {
            postgres.query("postgres", "CREATE EXTENSION pg_stat_statements")?;
        }
        let gateway = Gateway::start(&folder.path().join("gateway"), is_counting)?;
        let mut fleets = Vec::new();
        for (registry, delivery) in FLEETS {
            let program = programs.iter().find(|one| one.registry == registry);
            let program = program.context("a registry is missing")?;
            let place = folder.path();
            fleets
                .push(Fleet::start(program, delivery, servers, &postgres, &gateway, place).await?);
        }
        Ok(Self {
            fleets,
            gateway,
            postgres,
            _folder: folder,
        })
    }

    /// All servers, by kind: the first two are those that stream.
    pub(super) fn fleets(&self) -> &[Fleet] {
        &self.fleets
    }

    /// The fleets of both registries that stream.
    pub(super) fn streaming(&self) -> impl Iterator<Item = &Fleet> {
        let fleets = self.fleets.iter();
        fleets.filter(|fleet| fleet.delivery == Delivery::Streamed)
    }
}
