use crate::bench::results::{Metric, Row, RowResult};

use super::table;

/// How each registry collects, which the values alone do not tell.
const WAYS: &str = "
- berth: `berth gc --grace 0s` beside the running server, until it ends. CPU and memory are of both.
- distribution: `registry garbage-collect`, until it ends. The server must be stopped or read-only meanwhile; it is
  stopped, which is not in the time.
- zot: its server alone collects, here with a `gcDelay` of 0 s and a `gcInterval` of 1 s. With those, a push that is
  under way would lose its blobs, so it is started anew with them after the deletion. Time and CPU are from that start
  until the last file is gone.
";

/// The table, how it came about, and who does not reclaim.
pub(super) fn render(result: &RowResult) -> String {
    let mut text = table::render(Row::Reclaim, result);
    text.push_str(WAYS);
    for one in &result.measurements.0 {
        let failed = one.values.iter().filter(|left| **left > 0.0).count();
        if one.metric == Metric::FilesLeft && failed > 0 {
            let (name, rounds) = (one.registry.name(), one.values.len());
            text.push_str(&format!(
                "- **{name} did not reclaim**: it left files of blobs in {failed} of {rounds} rounds. Its other values of \
                 the collection are of the other rounds alone.\n"
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::bench::results::{Measurements, Registry};

    #[test]
    fn who_does_not_reclaim_is_said() {
        let mut measurements = Measurements::default();
        for (berth, zot) in [(0.0, 5.0), (0.0, 0.0)] {
            measurements.add(Registry::Berth, "case", Metric::FilesLeft, berth);
            measurements.add(Registry::Zot, "case", Metric::FilesLeft, zot);
        }
        let run = sample::results().rows[&Row::Pull].run.clone();
        let text = render(&RowResult { run, measurements });
        assert!(text.contains("**zot did not reclaim**: it left files of blobs in 1 of 2 rounds."));
        assert!(!text.contains("**berth did not reclaim**"));
    }
}
