use crate::bench::results::{Limits, Metric, ONE_CONNECTION, Registry, Row, RowResult};
use crate::bench::statistics::median;

use super::format::{NOTHING, header, line, name, number, optional};
use super::lines::Line;
use super::targets::{Target, yes_or_no};

const HEADER: [&str; 9] = [
    "case",
    "measure",
    "berth",
    "distribution",
    "zot",
    "berth / better peer",
    "target",
    "reached",
    "machine limit",
];

/// The table of a row: one line for each metric of each case.
pub(super) fn render(row: Row, result: &RowResult) -> String {
    let mut text = header(&HEADER, 2);
    for one in Line::all(&result.measurements) {
        let limit = limit(row, &one, &result.run.limits);
        text.push_str(&line(&cells(row, &one, limit)));
    }
    text
}

fn cells(row: Row, one: &Line, limit: Option<f64>) -> Vec<String> {
    let target = Target::of(row, one.metric);
    let is_reached = target.and_then(|target| target.is_reached(one, limit));
    let mut cells = vec![one.case.clone(), name(one.metric).to_owned()];
    cells.extend(Registry::ALL.map(|registry| optional(one.of(registry))));
    cells.push(
        one.ratio()
            .map_or(NOTHING.to_owned(), |ratio| format!("{}×", number(ratio))),
    );
    cells.push(target.map_or(NOTHING.to_owned(), Target::text));
    cells.push(is_reached.map_or(NOTHING, yes_or_no).to_owned());
    cells.push(optional(limit));
    cells
}

/// What the machine can do at most, where it limits a throughput.
pub(super) fn limit(row: Row, one: &Line, limits: &Limits) -> Option<f64> {
    if one.metric != Metric::MegabytesPerSecond {
        return None;
    }
    match row {
        Row::Pull if one.case == ONE_CONNECTION => median(&limits.loopback),
        Row::Pull | Row::Image => median(&limits.loopback_many),
        Row::Push => Some(median(&limits.sha256)?.min(median(&limits.disk)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_line_tells_all_about_a_metric() {
        let results = sample::results();
        let text = render(Row::Pull, &results.rows[&Row::Pull]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2..],
            [
                "| 1 connection | MB/s | 3,000 | 2,000 | – | 1.50× | ≥ 1× | yes | 5,000 |",
                "| 1 connection | server CPU, s/GiB | 0.400 | 0.200 | – | 2.00× | ≤ 1× | **no** | – |",
            ]
        );
    }

    #[test]
    fn the_limit_depends_on_what_is_moved() {
        let result = &sample::results().rows[&Row::Pull];
        let mut one = Line::all(&result.measurements).remove(0);
        let limit_of = |row, one: &Line| limit(row, one, &result.run.limits);
        assert_eq!(limit_of(Row::Pull, &one), Some(5000.0));
        assert_eq!(limit_of(Row::Push, &one), Some(400.0));
        assert_eq!(limit_of(Row::Image, &one), Some(6000.0));
        one.case = "16 connections".to_owned();
        assert_eq!(limit_of(Row::Pull, &one), Some(6000.0));
        one.metric = Metric::PeakMebibytes;
        assert_eq!(limit_of(Row::Pull, &one), None);
    }
}
