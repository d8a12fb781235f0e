use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::command::{command, output, root};

/// The one crate that cannot forbid unsafe code, and says why.
const WITH_UNSAFE: &str = "berth-sendfile";

/// What the top of the repository holds.
const TOP: [&str; 14] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "crates",
    "docs",
    "migrations",
    "rust-toolchain.toml",
    "tests",
    "xtask",
];

/// What is not where it belongs, or is missing from a crate.
pub(super) fn violations<'a>(crates: impl Iterator<Item = &'a String>) -> Result<Vec<String>> {
    let files = output(&mut command("git", &["ls-files"]))?;
    let mut found = strangers(&String::from_utf8(files)?);
    for name in crates {
        found.extend(of_crate(name, &folder(name)));
    }
    Ok(found)
}

fn folder(name: &str) -> PathBuf {
    match name {
        "xtask" => root().join(name),
        "berth-fuzz" => root().join("tests/fuzz"),
        _ => root().join("crates").join(name),
    }
}

/// The committed files whose topmost folder is not in [`TOP`].
fn strangers(files: &str) -> Vec<String> {
    let tops: BTreeSet<&str> = files
        .lines()
        .filter_map(|file| file.split('/').next())
        .collect();
    let unknown = tops.into_iter().filter(|top| !TOP.contains(top));
    unknown
        .map(|top| format!("{top} does not belong at the top of the repository"))
        .collect()
}

fn of_crate(name: &str, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if !folder.join("README.md").is_file() {
        found.push(format!("{name} has no README.md"));
    }
    let refusal = match name {
        WITH_UNSAFE => "#![deny(unsafe_code)]",
        _ => "#![forbid(unsafe_code)]",
    };
    let sources = ["src/lib.rs", "src/main.rs"].map(|source| folder.join(source));
    for source in sources.iter().filter(|source| source.is_file()) {
        let text = fs::read_to_string(source).unwrap_or_default();
        if !text.contains(refusal) {
            found.push(format!("{} does not say {refusal}", source.display()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_at_the_top_are_found() {
        assert!(strangers("Cargo.toml\ncrates/berth/src/main.rs\n.ci/run\n").is_empty());
        assert_eq!(
            strangers("crates/a\nsrc/main.rs\nsrc/lib.rs\nnotes.txt").len(),
            2
        );
    }

    #[test]
    fn a_crate_needs_a_readme_and_no_unsafe_code() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        let library = folder.path().join("src/lib.rs");
        fs::write(&library, "//! Nothing.").unwrap();
        assert_eq!(of_crate("a", folder.path()).len(), 2);
        fs::write(&library, "#![forbid(unsafe_code)]").unwrap();
        fs::write(folder.path().join("README.md"), "# a").unwrap();
        assert!(of_crate("a", folder.path()).is_empty());
    }
}
