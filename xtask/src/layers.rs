//! The order of the layers, proved from what Cargo knows.

mod folders;
mod rules;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::command::root;
use rules::{Crate, violations};

/// Proves that dependencies only point down the layers, and that the repository has the shape
/// that its documentation tells.
pub(crate) fn check() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()?;
    let crates: BTreeMap<String, Crate> = metadata
        .workspace_packages()
        .iter()
        .map(|package| (package.name.to_string(), of_package(package)))
        .collect();
    let mut found = violations(&crates);
    found.extend(folders::violations(crates.keys())?);
    if !found.is_empty() {
        bail!("the layers are out of order:\n- {}", found.join("\n- "));
    }
    println!("layers: {} crates depend downwards only", crates.len());
    Ok(())
}

fn of_package(package: &Package) -> Crate {
    let of_kind = |is_wanted: fn(DependencyKind) -> bool| {
        package
            .dependencies
            .iter()
            .filter(|dependency| is_wanted(dependency.kind))
            .map(|dependency| dependency.name.clone())
            .collect()
    };
    Crate {
        dependencies: of_kind(|kind| kind != DependencyKind::Development),
        for_tests: of_kind(|kind| kind == DependencyKind::Development),
    }
}
