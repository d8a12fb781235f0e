use crate::bench::results::{Registry, Results, Row};
use crate::bench::statistics::median;

use super::format::{NOTHING, grouped, header, line, optional};
use super::lines::Line;
use super::plots;
use super::table::limit;
use super::targets::Target;

/// When, where and with what the rows were measured, and how many targets are reached.
pub(super) fn render(results: &Results) -> String {
    let mut text = String::new();
    if results.rows.is_empty() {
        return text;
    }
    text.push_str(
        "Every value is the median of the rounds. A ratio is berth's median through that of the \
         better peer: the one with the higher throughput, or with the lower cost. MB are 10^6 \
         bytes. A machine limit is in MB/s: `sendfile` to the same client over loopback for pulls, on \
         one connection or on 16, the slower of SHA-256 on one core and the disk's write with fsync for pushes.\n\n",
    );
    text.push_str(&rows(results));
    if plots::has_ratios(results) {
        text.push_str("\n![berth's throughput against the better peer](performance/ratios.svg)\n");
    }
    text.push('\n');
    text.push_str(&machines(results));
    text
}

/// How each row was measured.
fn rows(results: &Results) -> String {
    let names = Registry::ALL.map(Registry::name);
    let columns = [
        "row",
        "targets reached",
        "measured",
        names[0],
        names[1],
        names[2],
    ];
    let mut text = header(&columns, columns.len());
    for (row, result) in &results.rows {
        let run = &result.run;
        let scale = if run.is_quick { ", `--quick`" } else { "" };
        let versions = Registry::ALL.map(|registry| run.versions.get(&registry));
        let mut cells = vec![
            format!("`{}`", row.name()),
            reached(results, *row),
            format!("{}{scale}", run.date),
        ];
        cells.extend(versions.map(|version| match version {
            Some(version) => version.clone(),
            None => "not given".to_owned(),
        }));
        text.push_str(&line(&cells));
    }
    text
}

/// How many of a row's targets are reached, of those that can be told.
fn reached(results: &Results, row: Row) -> String {
    let Some(result) = results.rows.get(&row) else {
        return NOTHING.to_owned();
    };
    if row == Row::Growth {
        let told: Vec<bool> = super::growth::Curve::all(result)
            .iter()
            .filter_map(super::growth::Curve::is_flat)
            .collect();
        return share(&told);
    }
    let told: Vec<bool> = Line::all(&result.measurements)
        .iter()
        .filter_map(|one| {
            let limit = limit(row, one, &result.run.limits);
            Target::of(row, one.metric)?.is_reached(one, limit)
        })
        .collect();
    share(&told)
}

fn share(told: &[bool]) -> String {
    let reached = told.iter().filter(|is_reached| **is_reached).count();
    format!("{reached} of {}", told.len())
}

/// The machines, and what they can do: one line for each run.
fn machines(results: &Results) -> String {
    let columns = [
        "measured",
        "CPU",
        "cores",
        "memory, MiB",
        "kernel",
        "loopback, MB/s",
        "16 at once, MB/s",
        "SHA-256, MB/s",
        "disk, MB/s",
    ];
    let mut text = header(&columns, 2);
    let mut dates: Vec<&str> = Vec::new();
    for result in results.rows.values() {
        let (run, machine) = (&result.run, &result.run.machine);
        if dates.contains(&run.date.as_str()) {
            continue;
        }
        dates.push(&run.date);
        text.push_str(&line(&[
            run.date.clone(),
            machine.cpu.clone(),
            machine.cores.to_string(),
            grouped(machine.memory_mebibytes as f64),
            machine.kernel.clone(),
            optional(median(&run.limits.loopback)),
            optional(median(&run.limits.loopback_many)),
            optional(median(&run.limits.sha256)),
            optional(median(&run.limits.disk)),
        ]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn reached_targets_are_counted() {
        let results = sample::results();
        assert_eq!(reached(&results, Row::Pull), "1 of 2");
        assert_eq!(reached(&results, Row::Growth), "1 of 1");
        assert_eq!(reached(&results, Row::Start), "1 of 2");
    }

    #[test]
    fn without_results_there_is_nothing_to_tell() {
        assert_eq!(render(&Results::default()), "");
    }

    #[test]
    fn a_run_is_told_once_and_a_missing_registry_is_said() {
        let text = render(&sample::results());
        assert_eq!(text.matches("A CPU").count(), 1);
        assert!(text.contains(
            "| `pull` | 1 of 2 | 2026-01-02T03:04:05Z, `--quick` | 0.1.0 | v3.1.2 | not given |"
        ));
    }
}
