use crate::bench::cluster::results::Sizes;
use crate::bench::report::format::{grouped, header, line};

/// One line for each table, and one for all.
pub(super) fn render(sizes: &Sizes) -> String {
    let Sizes {
        repositories,
        manifests,
        tables,
    } = sizes;
    let columns = [
        "table",
        "rows",
        "bytes of a row",
        "bytes in its indexes",
        "together",
        "all, MB",
        "bytes for each manifest",
    ];
    let mut text = header(&columns, 1);
    let mut sum = 0.0;
    for table in tables {
        let all = table.table_bytes + table.index_bytes;
        sum += all;
        let of_row = |bytes: f64| grouped(bytes / table.rows);
        text.push_str(&line(&[
            format!("`{}`", table.name),
            grouped(table.rows),
            of_row(table.table_bytes),
            of_row(table.index_bytes),
            of_row(all),
            format!("{:.1}", all / 1e6),
            grouped(all / *manifests as f64),
        ]));
    }
    text.push_str(&line(&[
        "all".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        format!("{:.1}", sum / 1e6),
        grouped(sum / *manifests as f64),
    ]));
    let (manifests, repositories) = (grouped(*manifests as f64), grouped(*repositories as f64));
    format!(
        "{manifests} manifests in {repositories} repositories, each with a tag and six blobs: two of its own, and four that ten \
         manifests share.\n\n{text}"
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn rows_and_their_indexes_are_told_apart() {
        let results = sample::results();
        let text = render(&results.sizes.unwrap().values);
        assert!(text.contains("| `tags` | 1,000 | 100 | 50 | 150 | 0.1 | 150 |"));
        assert!(text.contains("| all |  |  |  |  | 0.1 | 150 |"));
        assert!(text.starts_with("1,000 manifests in 20 repositories"));
    }
}
