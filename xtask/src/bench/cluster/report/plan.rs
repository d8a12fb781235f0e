//! What the measured values make of a registry that is much larger: computed, and on assumptions that are said.

use crate::bench::cluster::results::{Calls, Results, Sample, Series, Sizes, Subject};
use crate::bench::report::format::{grouped, header, line, number};
use crate::bench::results::Registry;
use crate::bench::statistics::median;

/// Pulls of images in a second.
const PULLS: f64 = 10_000.0;
/// Requests for manifests that a pull makes: the tag, and what it leads to.
const MANIFESTS_OF_PULL: f64 = 2.0;
/// The share of pulls whose client does not have the layers yet, and how many blobs it lacks then.
const COLD_SHARE: f64 = 0.1;
const BLOBS_OF_COLD_PULL: f64 = 4.0;
/// Images that are pushed in a second.
const PUSHES: f64 = 50.0;
/// The mean size of a blob, in bytes.
const BLOB: f64 = 30e6;
/// What is stored, in bytes.
const STORED: f64 = 10e15;
/// Objects that a list of S3 tells at once.
const LISTED: f64 = 1_000.0;
const GIBIBYTE: f64 = (1_u64 << 30) as f64;

/// A table of what is needed, once all that it follows from is measured.
pub(super) fn render(results: &Results) -> String {
    match lines(results) {
        Some(lines) => format!("{}\n{}", assumptions(), table(&lines)),
        None => "Not measured yet.\n".to_owned(),
    }
}

fn assumptions() -> String {
    let cold = COLD_SHARE * 100.0;
    format!(
        "Assumed: {} pulls of images/s, each {MANIFESTS_OF_PULL} requests for manifests (the tag, and what it leads to); {cold} % of \
         them lack {BLOBS_OF_COLD_PULL} blobs of {} MB. {PUSHES} pushes of images/s. {} PB in blobs of that size, with as many manifests \
         for each blob as in the filled database. Cores are such as those that were measured, all of them busy: plan for twice as many.\n",
        grouped(PULLS),
        number(BLOB / 1e6),
        number(STORED / 1e15),
    )
}

struct Line {
    what: &'static str,
    follows_from: String,
    value: String,
}

fn table(lines: &[Line]) -> String {
    let mut text = header(&["what", "follows from", "computed"], 2);
    for one in lines {
        let cells = [
            one.what.to_owned(),
            one.follows_from.clone(),
            one.value.clone(),
        ];
        text.push_str(&line(&cells));
    }
    text
}

fn lines(results: &Results) -> Option<Vec<Line>> {
    let load = &results.load.as_ref()?.values;
    let calls = &results.calls.as_ref()?.values;
    let sizes = &results.sizes.as_ref()?.values;
    let mut lines = manifests(load, calls)?;
    lines.extend(blobs(load, calls)?);
    lines.extend(pushes(load, calls)?);
    lines.extend(stored(sizes));
    Some(lines)
}

fn manifests(load: &[Series], calls: &[Calls]) -> Option<Vec<Line>> {
    let rate = PULLS * MANIFESTS_OF_PULL;
    // Half of them by tag, half by digest.
    let cost = |cpu: fn(&Sample) -> f64| {
        let cases = ["GET by tag", "GET by digest"];
        let costs = cases.map(|case| cost(load, Subject::Manifests, case, cpu));
        let [by_tag, by_digest] = costs;
        Some(f64::midpoint(by_tag?, by_digest?))
    };
    let (servers, database) = (
        cost(|sample| sample.servers_cpu)?,
        cost(|sample| sample.database_cpu)?,
    );
    let statements = calls_of(calls, "GET of a manifest by tag")?.statements;
    let cores = |what, each: f64| Line {
        what,
        follows_from: format!("{} requests/s × {} µs", grouped(rate), number(each * 1e6)),
        value: format!("{} cores", number(rate * each)),
    };
    Some(vec![
        Line {
            what: "statements for manifests",
            follows_from: format!("{} requests/s × {statements:.0}", grouped(rate)),
            value: format!("{}/s", grouped(rate * statements)),
        },
        cores("servers, for manifests", servers),
        cores("PostgreSQL, for manifests", database),
    ])
}

fn blobs(load: &[Series], calls: &[Calls]) -> Option<Vec<Line>> {
    let rate = PULLS * COLD_SHARE * BLOBS_OF_COLD_PULL;
    let gibibytes = rate * BLOB / GIBIBYTE;
    let mut lines = vec![Line {
        what: "bytes of blobs to clients",
        follows_from: format!("{} blobs/s × {} MB", grouped(rate), number(BLOB / 1e6)),
        value: format!("{} GB/s", grouped(rate * BLOB / 1e9)),
    }];
    for (what, case) in [
        ("servers, for blobs that they stream", "streamed"),
        ("servers, for blobs in their caches", "from the cache"),
    ] {
        let each = cost(load, Subject::Pulls, case, |sample| sample.servers_cpu)? * GIBIBYTE;
        lines.push(Line {
            what,
            follows_from: format!("{} GiB/s × {} s", number(gibibytes), number(each)),
            value: format!("{} cores", number(gibibytes * each)),
        });
    }
    for (what, operation) in [
        (
            "requests to the bucket, if they stream",
            "GET of a blob, streamed",
        ),
        (
            "requests to the bucket, if all is in caches",
            "GET of a blob, from the cache",
        ),
        (
            "requests to the bucket, if they redirect",
            "GET of a blob, redirected",
        ),
    ] {
        let mut each: f64 = calls_of(calls, operation)?.requests.values().sum();
        if operation.ends_with("redirected") {
            // That of the client.
            each += 1.0;
        }
        // A sum of nothing is -0.
        let each = each.round() + 0.0;
        lines.push(Line {
            what,
            follows_from: format!("{} blobs/s × {each}", grouped(rate)),
            value: format!("{}/s", grouped(rate * each)),
        });
    }
    Some(lines)
}

fn pushes(load: &[Series], calls: &[Calls]) -> Option<Vec<Line>> {
    let case = "one for each image";
    let cores = |what, cpu: fn(&Sample) -> f64| {
        let each = cost(load, Subject::Images, case, cpu)?;
        Some(Line {
            what,
            follows_from: format!("{PUSHES} images/s × {} ms", number(each * 1e3)),
            value: format!("{} cores", number(PUSHES * each)),
        })
    };
    // Two new layers and a config, as the images that were measured.
    let blob = calls_of(calls, "push of a blob of 10 KiB")?;
    let manifest = calls_of(calls, "push of a manifest of 3 blobs")?;
    let statements = (blob.statements * 3.0 + manifest.statements).round();
    let log = blob.log_bytes * 3.0 + manifest.log_bytes;
    Some(vec![
        cores("servers, for pushes of three new blobs", |sample| {
            sample.servers_cpu
        })?,
        cores("PostgreSQL, for pushes", |sample| sample.database_cpu)?,
        Line {
            what: "statements for pushes",
            follows_from: format!("{PUSHES} images/s × {statements}"),
            value: format!("{}/s", grouped(PUSHES * statements)),
        },
        Line {
            what: "write-ahead log",
            follows_from: format!("{PUSHES} images/s × {} bytes", grouped(log)),
            value: format!("{} MB/s", number(PUSHES * log / 1e6)),
        },
    ])
}

fn stored(sizes: &Sizes) -> Vec<Line> {
    let rows = |name: &str| {
        let table = sizes.tables.iter().find(|table| table.name == name);
        table.map_or(0.0, |table| table.rows)
    };
    let blobs = STORED / BLOB;
    let manifests = blobs * rows("manifests") / rows("blobs").max(1.0);
    let bytes = sizes.tables.iter();
    let bytes: f64 = bytes
        .map(|table| table.table_bytes + table.index_bytes)
        .sum();
    let each = bytes / sizes.manifests as f64;
    vec![
        Line {
            what: "objects in the bucket",
            follows_from: format!("{} PB / {} MB", number(STORED / 1e15), number(BLOB / 1e6)),
            value: format!("{} million", grouped(blobs / 1e6)),
        },
        Line {
            what: "manifests",
            follows_from: "as many for each blob as in the filled database".to_owned(),
            value: format!("{} million", grouped(manifests / 1e6)),
        },
        Line {
            what: "size of the database",
            follows_from: format!("manifests × {} bytes", grouped(each)),
            value: format!("{} GB", grouped(manifests * each / 1e9)),
        },
        Line {
            what: "requests to list the bucket once",
            follows_from: format!("objects / {}", grouped(LISTED)),
            value: grouped(blobs / LISTED),
        },
    ]
}

/// The CPU seconds that each unit took with most servers.
fn cost(
    load: &[Series],
    subject: Subject,
    case: &str,
    cpu: impl Fn(&Sample) -> f64,
) -> Option<f64> {
    let series = load
        .iter()
        .filter(|one| one.registry == Registry::Berth && one.subject == subject)
        .filter(|one| one.case == case);
    let most = series.max_by_key(|one| one.servers)?;
    let samples = most.samples.iter();
    let costs: Vec<f64> = samples.map(|sample| cpu(sample) / sample.units).collect();
    median(&costs)
}

fn calls_of<'a>(calls: &'a [Calls], operation: &str) -> Option<&'a Calls> {
    let mut calls = calls.iter();
    calls.find(|one| one.registry == Registry::Berth && one.operation == operation)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn cores_and_bytes_follow_from_what_was_measured() {
        let results = sample::results();
        let load = &results.load.unwrap().values;
        let cpu = |sample: &Sample| sample.servers_cpu;
        // 0.2 s for 1,000 requests.
        let each = cost(load, Subject::Manifests, "GET by tag", cpu).unwrap();
        assert!((each - 0.0002).abs() < 1e-9);
        assert_eq!(cost(load, Subject::Manifests, "GET by digest", cpu), None);
        let mut sizes = results.sizes.unwrap().values;
        let mut blobs = sizes.tables[0].clone();
        blobs.name = "blobs".to_owned();
        blobs.rows = 2000.0;
        let mut manifests = blobs.clone();
        manifests.name = "manifests".to_owned();
        manifests.rows = 1000.0;
        sizes.tables.extend([blobs, manifests]);
        let values: Vec<String> = stored(&sizes).into_iter().map(|line| line.value).collect();
        // 450 bytes for each manifest.
        assert_eq!(values, ["333 million", "167 million", "75 GB", "333,333"]);
    }

    #[test]
    fn without_all_parts_nothing_is_computed() {
        assert_eq!(render(&Results::default()), "Not measured yet.\n");
    }
}
