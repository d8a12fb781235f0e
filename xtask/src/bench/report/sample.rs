//! A few results, as they could have been measured.

use std::collections::BTreeMap;

use crate::bench::results::{
    Limits, Machine, Measurements, Metric, Registry, Results, Row, RowResult, Run,
};

pub(crate) fn results() -> Results {
    let rows = [
        (Row::Pull, pull()),
        (Row::Growth, growth()),
        (Row::Start, start()),
    ];
    Results {
        rows: BTreeMap::from(rows.map(|(row, measurements)| {
            let run = run();
            (row, RowResult { run, measurements })
        })),
    }
}

fn run() -> Run {
    Run {
        date: "2026-01-02T03:04:05Z".to_owned(),
        is_quick: true,
        machine: Machine {
            cpu: "A CPU".to_owned(),
            cores: 2,
            memory_mebibytes: 4096,
            kernel: "6.1.0".to_owned(),
        },
        versions: BTreeMap::from([
            (Registry::Berth, "0.1.0".to_owned()),
            (Registry::Distribution, "v3.1.2".to_owned()),
        ]),
        limits: Limits {
            loopback: vec![5000.0],
            loopback_many: vec![6000.0],
            sha256: vec![1500.0],
            disk: vec![400.0],
        },
    }
}

fn pull() -> Measurements {
    let mut pull = Measurements::default();
    let case = "1 connection";
    for (registry, rate, cpu) in [
        (Registry::Berth, 3000.0, 0.4),
        (Registry::Distribution, 2000.0, 0.2),
    ] {
        pull.add(registry, case, Metric::MegabytesPerSecond, rate);
        pull.add(registry, case, Metric::CpuSecondsPerGibibyte, cpu);
    }
    pull
}

fn growth() -> Measurements {
    let mut growth = Measurements::default();
    for (registry, size, control, cost) in [
        (Registry::Berth, 100, 0.2, 0.2),
        (Registry::Distribution, 100, 0.5, 1.0),
        (Registry::Berth, 10_000, 0.25, 0.3),
    ] {
        let (case, size) = ("HEAD by tag", Some(size));
        growth.add_at(registry, case, size, Metric::ControlMilliseconds, control);
        growth.add_at(registry, case, size, Metric::Milliseconds, cost);
    }
    growth
}

fn start() -> Measurements {
    let mut start = Measurements::default();
    start.add(Registry::Berth, "start", Metric::Milliseconds, 12.0);
    start.add(Registry::Berth, "start", Metric::IdleMebibytes, 30.0);
    start
}
