use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::bench::cluster::results::Calls;
use crate::bench::cluster::world::{DATABASE, World};
use crate::bench::results::Registry;

/// How long what was asked for may take until it is in a log.
const SETTLING: Duration = Duration::from_millis(200);

/// Reads what was asked of the database and of the bucket.
pub(super) struct Counter<'a> {
    world: &'a World,
}

/// All that was asked so far.
pub(super) struct Reading {
    statements: f64,
    log_bytes: f64,
    requests: BTreeMap<String, f64>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { world }
    }

    pub(super) fn read(&self) -> Result<Reading> {
        sleep(SETTLING);
        let postgres = &self.world.postgres;
        // Of the database of berth alone: these are asked in another one.
        let statements = format!(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
                JOIN pg_database ON pg_database.oid = dbid WHERE datname = '{DATABASE}'"
        );
        let log = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')";
        let mut requests = BTreeMap::new();
        for operation in self.world.gateway.operations()? {
            *requests.entry(operation).or_default() += 1.0;
        }
        Ok(Reading {
            statements: postgres.number("postgres", &statements)?,
            log_bytes: postgres.number("postgres", log)?,
            requests,
        })
    }

    /// What each of so many operations asked for since then, on average.
    pub(super) fn since(
        &self,
        before: &Reading,
        times: usize,
        operation: &str,
        registry: Registry,
    ) -> Result<Calls> {
        let now = self.read()?;
        let times = times as f64;
        Ok(Calls {
            operation: operation.to_owned(),
            registry,
            statements: (now.statements - before.statements) / times,
            log_bytes: (now.log_bytes - before.log_bytes) / times,
            requests: rise(&before.requests, &now.requests, times),
        })
    }
}

/// How much each count has risen, through the number of times.
fn rise(
    before: &BTreeMap<String, f64>,
    now: &BTreeMap<String, f64>,
    times: f64,
) -> BTreeMap<String, f64> {
    let risen = now.iter().map(|(name, count)| {
        let earlier = before.get(name).copied().unwrap_or_default();
        (name.clone(), (count - earlier) / times)
    });
    risen.filter(|(_, count)| *count > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_risen_is_told() {
        let counts = |pairs: &[(&str, f64)]| {
            let pairs = pairs
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count));
            pairs.collect::<BTreeMap<String, f64>>()
        };
        let before = counts(&[("GetObject", 4.0), ("ListObjectsV2", 1.0)]);
        let now = counts(&[
            ("GetObject", 8.0),
            ("ListObjectsV2", 1.0),
            ("PutObject", 2.0),
        ]);
        assert_eq!(
            rise(&before, &now, 2.0),
            counts(&[("GetObject", 2.0), ("PutObject", 1.0)])
        );
    }
}
