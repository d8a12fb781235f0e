//! The document, from the raw results alone.

mod about;
pub(super) mod format;
mod growth;
mod lines;
pub(super) mod markers;
mod plots;
mod reclaim;
#[cfg(test)]
pub(super) mod sample;
mod table;
mod targets;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::results::{Results, Row, RowResult};

/// Writes the generated part of the document, and the plots beside it.
pub(super) fn write(results: &Results, document: &Path) -> Result<()> {
    let shown = document.display();
    let text = fs::read_to_string(document).with_context(|| format!("cannot read {shown}"))?;
    let text = markers::replace(&text, &render(results))
        .with_context(|| format!("cannot write into {shown}"))?;
    let folder = document.with_extension("");
    fs::create_dir_all(&folder)?;
    plots::write(results, &folder)?;
    fs::write(document, text).with_context(|| format!("cannot write {shown}"))
}

/// The generated part of the document.
fn render(results: &Results) -> String {
    let mut text = about::render(results);
    for row in Row::ALL {
        text.push_str(&format!("\n### {}\n\n", title(row)));
        match results.rows.get(&row) {
            Some(result) => text.push_str(&section(row, result)),
            None => text.push_str("Not measured yet.\n"),
        }
    }
    text
}

fn section(row: Row, result: &RowResult) -> String {
    match row {
        Row::Growth => growth::render(result),
        Row::Reclaim => reclaim::render(result),
        _ => table::render(row, result),
    }
}

fn title(row: Row) -> &'static str {
    match row {
        Row::Pull => "`pull`: one large blob, in the page cache",
        Row::Push => "`push`: one large blob",
        Row::Storm => "`storm`: requests for manifests on 64 connections",
        Row::Images => "`images`: push of small images on 16 connections",
        Row::Growth => "`growth`: milliseconds of a request, against what is stored",
        Row::Start => "`start`: time to the first answer, and memory when idle",
        Row::Reclaim => {
            "`reclaim`: deletion of images on 16 connections, and collection of their blobs"
        }
        Row::Image => "`image`: pull of an image of 12 layers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_section() {
        let text = render(&sample::results());
        for row in Row::ALL {
            assert!(text.contains(title(row)), "{row:?}");
        }
        assert_eq!(text.matches("Not measured yet.").count(), 5);
    }

    #[test]
    fn writing_keeps_what_people_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("performance.md");
        let around = format!(
            "# Title\n\n{}\n{}\n\n## Why\n",
            markers::BEGIN,
            markers::END
        );
        fs::write(&document, &around).unwrap();
        for _ in 0..2 {
            write(&sample::results(), &document).unwrap();
            let text = fs::read_to_string(&document).unwrap();
            assert!(text.starts_with("# Title\n"));
            assert!(text.ends_with("\n\n## Why\n"));
            assert_eq!(text.matches(title(Row::Pull)).count(), 1);
        }
        assert!(folder.path().join("performance/growth.svg").is_file());
        assert!(folder.path().join("performance/ratios.svg").is_file());
    }
}
