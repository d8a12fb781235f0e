use crate::bench::cluster::REGISTRIES;
use crate::bench::cluster::results::{Sample, Series, Subject};
use crate::bench::report::format::{NOTHING, header, line, number, optional};
use crate::bench::results::Registry;
use crate::bench::statistics::median;

/// What something is measured in.
struct Unit {
    /// What is done in a second.
    rate: &'static str,
    /// How many of what was counted that is.
    units: f64,
    /// What CPU time is told for.
    cost: &'static str,
    /// How many of what was counted that is.
    cost_units: f64,
    /// How many of these units of time a second has.
    cost_per_second: f64,
}

fn title(subject: Subject) -> &'static str {
    match subject {
        Subject::Manifests => "Requests for manifests, on 64 connections",
        Subject::Images => "Pushes of small images (two layers of 10 KiB), on 16 connections",
        Subject::Pulls => "Pulls of a blob, on 12 connections",
        Subject::Pushes => "Pushes of blobs, on 6 connections",
    }
}

fn unit(subject: Subject) -> Unit {
    let gibibyte = f64::from(1 << 30);
    let (rate, units, cost, cost_units, cost_per_second) = match subject {
        Subject::Manifests => ("requests/s", 1.0, "µs/request", 1.0, 1e6),
        Subject::Images => ("images/s", 1.0, "ms/image", 1.0, 1e3),
        Subject::Pulls | Subject::Pushes => ("MB/s", 1e6, "s/GiB", gibibyte, 1.0),
    };
    Unit {
        rate,
        units,
        cost,
        cost_units,
        cost_per_second,
    }
}

/// A table for each subject: one line for each case, number of servers and registry.
pub(super) fn render(all: &[Series]) -> String {
    let tables = Subject::ALL.map(|subject| {
        let series: Vec<&Series> = all.iter().filter(|one| one.subject == subject).collect();
        format!("#### {}\n\n{}", title(subject), table(subject, &series))
    });
    tables.join("\n")
}

fn table(subject: Subject, all: &[&Series]) -> String {
    let unit = unit(subject);
    let cpu = |of: &str| format!("CPU of {of}, {}", unit.cost);
    let [servers, database, bucket, client] =
        ["the servers", "PostgreSQL", "the bucket", "the client"].map(cpu);
    let mut columns = vec![
        "case",
        "servers",
        "registry",
        unit.rate,
        "berth / distribution",
    ];
    columns.extend([&servers, &database, &bucket, &client].map(String::as_str));
    columns.extend(["cores busy", "peak memory of a server, MiB"]);
    let has_latency = subject == Subject::Manifests;
    if has_latency {
        columns.push("p99, ms");
    }
    let mut text = header(&columns, 3);
    for one in in_order(all) {
        let mut cells = cells(one, all, &unit);
        if has_latency {
            let latency = |sample: &Sample| sample.milliseconds_p99.unwrap_or_default();
            cells.push(optional(of_rounds(one, latency)));
        }
        text.push_str(&line(&cells));
    }
    text
}

/// By case in the order in which they were measured, then by number of servers, then berth first.
fn in_order<'a>(all: &[&'a Series]) -> Vec<&'a Series> {
    let case = |one: &Series| all.iter().position(|other| other.case == one.case);
    let registry = |one: &Series| REGISTRIES.iter().position(|name| *name == one.registry);
    let mut ordered = all.to_vec();
    ordered.sort_by_key(|one| (case(one), one.servers, registry(one)));
    ordered
}

fn cells(one: &Series, all: &[&Series], unit: &Unit) -> Vec<String> {
    let ratio = match one.registry {
        Registry::Berth => ratio(one, all),
        Registry::Distribution | Registry::Zot => None,
    };
    let cost = |cpu: fn(&Sample) -> f64| {
        let seconds = of_rounds(one, |sample| cpu(sample) / sample.units);
        optional(seconds.map(|seconds| seconds * unit.cost_units * unit.cost_per_second))
    };
    let database = match one.registry {
        Registry::Berth => cost(|sample| sample.database_cpu),
        // It has none.
        Registry::Distribution | Registry::Zot => NOTHING.to_owned(),
    };
    vec![
        one.case.clone(),
        one.servers.to_string(),
        one.registry.name().to_owned(),
        optional(rate(one).map(|rate| rate / unit.units)),
        ratio.map_or(NOTHING.to_owned(), |ratio| format!("{}×", number(ratio))),
        cost(|sample| sample.servers_cpu),
        database,
        cost(|sample| sample.bucket_cpu),
        cost(|sample| sample.client_cpu),
        optional(of_rounds(one, cores)),
        optional(of_rounds(one, |sample| sample.peak_mebibytes)),
    ]
}

/// What was done in a second, through what as many servers of the peer did: in the same way, or streamed where the peer
/// does not know that way.
fn ratio(one: &Series, all: &[&Series]) -> Option<f64> {
    let peers = all
        .iter()
        .filter(|peer| peer.registry == Registry::Distribution && peer.servers == one.servers);
    let in_the_same_way = peers.clone().find(|peer| peer.case == one.case);
    let mut peers = peers;
    let peer = in_the_same_way.or_else(|| peers.next())?;
    Some(rate(one)? / rate(peer)?)
}

fn rate(one: &Series) -> Option<f64> {
    of_rounds(one, |sample| sample.units / sample.seconds)
}

/// How many cores all had together, the client too.
fn cores(sample: &Sample) -> f64 {
    let servers = sample.servers_cpu + sample.database_cpu + sample.bucket_cpu;
    (servers + sample.client_cpu) / sample.seconds
}

/// The median of the rounds.
fn of_rounds(one: &Series, value: impl Fn(&Sample) -> f64) -> Option<f64> {
    let values: Vec<f64> = one.samples.iter().map(value).collect();
    median(&values)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_line_tells_rates_and_costs() {
        let results = sample::results();
        let text = render(&results.load.unwrap().values);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| GET"))
            .collect();
        assert_eq!(
            lines,
            [
                "| GET by tag | 1 | berth | 1,000 | 2.00× | 200 | 100 | 0 | 50.0 | 0.350 | 20.0 | 3.00 |",
                "| GET by tag | 1 | distribution | 500 | – | 1,000 | – | 400 | 100 | 0.750 | 40.0 | 9.00 |",
            ]
        );
    }

    #[test]
    fn bytes_are_told_in_megabytes_and_gibibytes() {
        let results = sample::results();
        let text = render(&results.load.unwrap().values);
        let cached = text.lines().find(|line| line.contains("from the cache"));
        assert_eq!(
            cached.unwrap(),
            "| from the cache | 2 | berth | 1,074 | 4.00× | 0.500 | 0 | 0 | 0.250 | 0.750 | 20.0 |"
        );
    }
}
