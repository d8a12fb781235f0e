use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

pub(super) const HEAD: &str = "\
| target | executions | minutes | coverage: edges | features | inputs | findings |
|---|---:|---:|---:|---:|---:|---:|";

/// What one run of a target came to.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    target: String,
    executions: u64,
    time: Duration,
    edges: u64,
    features: u64,
    inputs: String,
    pub(super) findings: usize,
}

impl Report {
    /// Reads what libFuzzer wrote to standard error.
    pub(super) fn read(target: &str, time: Duration, log: &str, findings: usize) -> Result<Self> {
        // `#4096 NEW cov: 12 ft: 34 corp: 5/67b exec/s: 0 rss: 40Mb …`
        let is_progress = |line: &&str| line.starts_with('#') && line.contains(" cov: ");
        let last = log.lines().rev().find(is_progress);
        let last = last.context("libFuzzer told nothing of its progress")?;
        let counted = log
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
        let started = last.trim_start_matches('#').split_whitespace().next();
        let executions = counted.or(started).context("no number of executions")?;
        Ok(Self {
            target: target.to_owned(),
            executions: executions.trim().parse()?,
            time,
            edges: after(last, "cov:").parse()?,
            features: after(last, "ft:").parse()?,
            inputs: after(last, "corp:").to_owned(),
            findings,
        })
    }
}

/// The word after this one.
fn after<'a>(line: &'a str, word: &str) -> &'a str {
    let mut words = line.split_whitespace().skip_while(|other| *other != word);
    words.nth(1).unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            executions,
            edges,
            features,
            inputs,
            findings,
            ..
        } = self;
        let minutes = self.time.as_secs_f64() / 60.0;
        write!(
            formatter,
            "| {target} | {executions} | {minutes:.1} | {edges} | {features} | {inputs} | {findings} |"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
INFO: seed corpus: files: 2
#3\tINITED cov: 10 ft: 11 corp: 2/9b exec/s: 0 rss: 30Mb
#4096\tNEW    cov: 12 ft: 34 corp: 5/67b lim: 4 exec/s: 0 rss: 40Mb L: 2/9 MS: 1 EraseBytes-
";

    #[test]
    fn the_last_progress_is_told() {
        let log = format!("{LOG}stat::number_of_executed_units: 5000\n");
        let report = Report::read("names", Duration::from_secs(90), &log, 1).unwrap();
        assert_eq!(
            report.to_string(),
            "| names | 5000 | 1.5 | 12 | 34 | 5/67b | 1 |"
        );
    }

    #[test]
    fn a_run_that_a_finding_ended_has_no_final_numbers() {
        let report = Report::read("names", Duration::ZERO, LOG, 1).unwrap();
        assert_eq!(report.executions, 4096);
        assert!(Report::read("names", Duration::ZERO, "", 0).is_err());
    }
}
