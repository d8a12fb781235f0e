//! The generated part of the document, from the raw results alone.

mod calls;
mod load;
mod plan;
#[cfg(test)]
mod sample;
mod sizes;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::results::{Measured, Results, Run};
use crate::bench::report::format::grouped;
use crate::bench::report::markers;

/// Writes it between the marks in the document.
pub(super) fn write(results: &Results, document: &Path) -> Result<()> {
    let shown = document.display();
    let text = fs::read_to_string(document).with_context(|| format!("cannot read {shown}"))?;
    let text = markers::replace(&text, &render(results))
        .with_context(|| format!("cannot write into {shown}"))?;
    fs::write(document, text).with_context(|| format!("cannot write {shown}"))
}

fn render(results: &Results) -> String {
    let parts = [
        part("Under load", results.load.as_ref(), |series| {
            load::render(series)
        }),
        part("Calls of each operation", results.calls.as_ref(), |all| {
            calls::render(all)
        }),
        part(
            "Size of the database",
            results.sizes.as_ref(),
            sizes::render,
        ),
        format!("### Computed\n\n{}", plan::render(results)),
    ];
    parts.join("\n")
}

fn part<T>(
    title: &str,
    measured: Option<&Measured<T>>,
    tables: impl FnOnce(&T) -> String,
) -> String {
    let text = match measured {
        None => "Not measured yet.\n".to_owned(),
        Some(Measured { run, values }) => format!("{}\n{}", circumstances(run), tables(values)),
    };
    format!("### {title}\n\n{text}")
}

/// When, where and with what something was measured.
fn circumstances(run: &Run) -> String {
    let scale = if run.is_quick { " with `--quick`" } else { "" };
    let machine = &run.machine;
    let versions = run.versions.iter();
    let versions: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    format!(
        "Measured {}{scale}, on {} ({} cores, {} MiB of memory, Linux {}): {}.\n",
        run.date,
        machine.cpu,
        machine.cores,
        grouped(machine.memory_mebibytes as f64),
        machine.kernel,
        versions.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_measured_is_said() {
        let nothing = render(&Results::default());
        assert_eq!(nothing.matches("Not measured yet.").count(), 4);
        let all = render(&sample::results());
        // The sample has not all that a plan follows from.
        assert_eq!(all.matches("Not measured yet.").count(), 1);
        assert_eq!(all.matches("on A CPU (2 cores, 4,096 MiB").count(), 3);
    }

    #[test]
    fn writing_keeps_what_people_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("scale.md");
        let around = format!(
            "# Title\n\n{}\n{}\n\n## Why\n",
            markers::BEGIN,
            markers::END
        );
        fs::write(&document, around).unwrap();
        for _ in 0..2 {
            write(&sample::results(), &document).unwrap();
            let text = fs::read_to_string(&document).unwrap();
            assert!(text.starts_with("# Title\n") && text.ends_with("\n\n## Why\n"));
            assert_eq!(text.matches("### Under load").count(), 1);
        }
    }
}
