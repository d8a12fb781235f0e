use crate::bench::results::Metric;

/// What stands in a cell that has no value.
pub(in crate::bench) const NOTHING: &str = "–";

/// A value with about three significant digits.
pub(in crate::bench) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        100.0.. => grouped(value),
        10.0..100.0 => format!("{value:.1}"),
        1.0..10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

pub(in crate::bench) fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), number)
}

/// A whole number, with a comma between thousands.
pub(in crate::bench) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        let left = digits.len() - position;
        if position > 0 && left % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A line of a Markdown table.
pub(in crate::bench) fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The first lines of a Markdown table: the first columns hold text, the others numbers.
pub(in crate::bench) fn header(cells: &[&str], texts: usize) -> String {
    let rule: Vec<&str> = (0..cells.len())
        .map(|column| if column < texts { "---" } else { "---:" })
        .collect();
    format!("| {} |\n|{}|\n", cells.join(" | "), rule.join("|"))
}

/// What the values of a metric are called.
pub(super) fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::MegabytesPerSecond => "MB/s",
        Metric::RequestsPerSecond => "requests/s",
        Metric::ImagesPerSecond => "images/s",
        Metric::BlobsPerSecond => "blobs/s",
        Metric::MillisecondsP50 => "p50, ms",
        Metric::MillisecondsP99 => "p99, ms",
        Metric::Milliseconds => "ms",
        Metric::ControlMilliseconds => "ms, control",
        Metric::MillisecondsSlowest => "slowest read meanwhile, ms",
        Metric::Seconds => "s",
        Metric::CpuSeconds => "CPU, s",
        Metric::CpuSecondsPerGibibyte => "server CPU, s/GiB",
        Metric::CpuMicrosecondsPerRequest => "server CPU, µs/request",
        Metric::CpuMillisecondsPerImage => "server CPU, ms/image",
        Metric::PeakMebibytes => "peak memory, MiB",
        Metric::IdleMebibytes => "idle memory, MiB",
        Metric::PercentAnswered => "reads answered meanwhile, %",
        Metric::FilesLeft => "files left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let written = [0.01234, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(
            written,
            ["0.012", "1.23", "12.3", "123", "1,234", "1,234,567"]
        );
        assert_eq!(number(0.0), "0");
        assert_eq!(optional(None), NOTHING);
    }

    #[test]
    fn tables_align_numbers_to_the_right() {
        assert_eq!(header(&["a", "b"], 1), "| a | b |\n|---|---:|\n");
        assert_eq!(line(&["a".to_owned(), "1".to_owned()]), "| a | 1 |\n");
    }
}
