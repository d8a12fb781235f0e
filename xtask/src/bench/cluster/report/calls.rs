use crate::bench::cluster::REGISTRIES;
use crate::bench::cluster::results::Calls;
use crate::bench::report::format::{NOTHING, grouped, header, line};
use crate::bench::results::Registry;

/// One line for each operation and registry.
pub(super) fn render(all: &[Calls]) -> String {
    let columns = [
        "operation",
        "registry",
        "requests to the bucket",
        "writing or listing",
        "reading",
        "statements",
        "bytes of write-ahead log",
        "which requests to the bucket",
    ];
    let mut text = header(&columns, 2);
    let mut operations: Vec<&str> = Vec::new();
    for one in all {
        if !operations.contains(&one.operation.as_str()) {
            operations.push(&one.operation);
        }
    }
    for operation in operations {
        for registry in REGISTRIES {
            let mut found = all.iter();
            let found = found.find(|one| one.operation == operation && one.registry == registry);
            text.push_str(&found.map(|one| line(&cells(one))).unwrap_or_default());
        }
    }
    text
}

fn cells(one: &Calls) -> Vec<String> {
    let of_price = |price: Price| {
        let requests = one.requests.iter();
        let requests = requests.filter(|(name, _)| Price::of(name) == price);
        few(requests.map(|(_, count)| count).sum())
    };
    let mut names: Vec<(&String, &f64)> = one.requests.iter().collect();
    names.sort_by(|one, other| other.1.total_cmp(one.1));
    let names: Vec<String> = names
        .into_iter()
        .map(|(name, count)| format!("{} {name}", few(*count)))
        .collect();
    let names = match names.is_empty() {
        true => NOTHING.to_owned(),
        false => names.join(", "),
    };
    let (statements, log) = match one.registry {
        Registry::Berth => (few(one.statements), grouped(one.log_bytes)),
        Registry::Distribution | Registry::Zot => (NOTHING.to_owned(), NOTHING.to_owned()),
    };
    vec![
        one.operation.clone(),
        one.registry.name().to_owned(),
        few(one.requests.values().sum()),
        of_price(Price::Writing),
        of_price(Price::Reading),
        statements,
        log,
        names,
    ]
}

/// What a request to a bucket is charged as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Price {
    /// PUT, COPY, POST and LIST: about twelve times as dear as reading.
    Writing,
    Reading,
    /// What removes.
    Free,
}

impl Price {
    fn of(operation: &str) -> Self {
        match operation {
            "GetObject" | "HeadObject" => Self::Reading,
            "DeleteObject" | "DeleteObjects" | "AbortMultipartUpload" => Self::Free,
            // `DeleteObjects` is a POST, but removal is free.
            _ => Self::Writing,
        }
    }
}

/// A small number, whole where it is nearly so: what works in the background is counted with it.
fn few(value: f64) -> String {
    // A sum of nothing is -0.
    let whole = value.round() + 0.0;
    match (value - whole).abs() < 0.15 {
        true => format!("{whole}"),
        false => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn requests_are_told_by_price() {
        let results = sample::results();
        let text = render(&results.calls.unwrap().values);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| push | berth | 3 | 2 | 0 | 7.5 | 4,000 | 2 PutObject, 1 DeleteObject |",
                "| push | distribution | 2 | 1 | 1 | – | – | 1 GetObject, 1 ListObjectsV2 |",
            ]
        );
    }

    #[test]
    fn what_happens_in_the_background_is_rounded_away() {
        assert_eq!(few(3.04), "3");
        assert_eq!(few(2.9), "3");
        assert_eq!(few(2.5), "2.5");
        assert_eq!(few(0.0), "0");
    }
}
