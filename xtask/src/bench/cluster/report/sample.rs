//! A few results, as they could have been measured.

use std::collections::BTreeMap;

use crate::bench::cluster::results::{
    Calls, Measured, Results, Run, Sample, Series, Sizes, Subject, Table, add,
};
use crate::bench::results::{Machine, Registry};

pub(in crate::bench::cluster) fn results() -> Results {
    Results {
        load: Some(measured(load())),
        calls: Some(measured(calls())),
        sizes: Some(measured(sizes())),
    }
}

fn measured<T>(values: T) -> Measured<T> {
    let run = Run {
        date: "2026-01-02T03:04:05Z".to_owned(),
        is_quick: false,
        machine: Machine {
            cpu: "A CPU".to_owned(),
            cores: 2,
            memory_mebibytes: 4096,
            kernel: "6.1.0".to_owned(),
        },
        versions: BTreeMap::from([("berth".to_owned(), "0.1.0".to_owned())]),
    };
    Measured { run, values }
}

fn load() -> Vec<Series> {
    let mut series = Vec::new();
    let berth = Sample {
        units: 1000.0,
        seconds: 1.0,
        servers_cpu: 0.2,
        database_cpu: 0.1,
        bucket_cpu: 0.0,
        client_cpu: 0.05,
        peak_mebibytes: 20.0,
        milliseconds_p99: Some(3.0),
    };
    let distribution = Sample {
        units: 500.0,
        servers_cpu: 0.5,
        database_cpu: 0.0,
        bucket_cpu: 0.2,
        peak_mebibytes: 40.0,
        milliseconds_p99: Some(9.0),
        ..berth
    };
    let what = (Subject::Manifests, "GET by tag");
    add(&mut series, what, Registry::Distribution, 1, distribution);
    add(&mut series, what, Registry::Berth, 1, berth);
    let bytes = f64::from(1 << 30);
    let cached = Sample {
        units: bytes,
        servers_cpu: 0.5,
        database_cpu: 0.0,
        client_cpu: 0.25,
        milliseconds_p99: None,
        ..berth
    };
    let streamed = Sample {
        seconds: 4.0,
        ..cached
    };
    let (streaming, caching) = (
        (Subject::Pulls, "streamed"),
        (Subject::Pulls, "from the cache"),
    );
    add(&mut series, streaming, Registry::Distribution, 2, streamed);
    add(&mut series, caching, Registry::Berth, 2, cached);
    series
}

fn calls() -> Vec<Calls> {
    let requests = |pairs: &[(&str, f64)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    vec![
        Calls {
            operation: "push".to_owned(),
            registry: Registry::Berth,
            statements: 7.5,
            log_bytes: 4000.0,
            requests: requests(&[("DeleteObject", 1.0), ("PutObject", 2.0)]),
        },
        Calls {
            operation: "push".to_owned(),
            registry: Registry::Distribution,
            statements: 0.0,
            log_bytes: 0.0,
            requests: requests(&[("GetObject", 1.0), ("ListObjectsV2", 1.0)]),
        },
    ]
}

fn sizes() -> Sizes {
    Sizes {
        repositories: 20,
        manifests: 1000,
        tables: vec![Table {
            name: "tags".to_owned(),
            rows: 1000.0,
            table_bytes: 100_000.0,
            index_bytes: 50_000.0,
        }],
    }
}
