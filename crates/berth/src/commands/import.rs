use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

use anyhow::Context;
use berth_spec::RepositoryName;
use clap::{ArgMatches, Args, Subcommand};

use super::{Target, carry_out};
use crate::upkeep::{ImportFrom, Task};

/// What is imported.
#[derive(Args)]
pub(crate) struct ImportCommand {
    #[command(subcommand)]
    from: Origin,
}

#[derive(Subcommand)]
enum Origin {
    /// Import all repositories of a distribution registry (registry:2, registry:3, docker-registry)
    Distribution(FromFolder),
    /// Import all repositories of a zot registry, or of what berth export wrote
    Zot(FromFolder),
    /// Import an OCI image layout as one repository
    OciLayout(FromLayout),
}

#[derive(Args)]
struct FromFolder {
    /// The root directory of its storage, as its configuration names it; it is only read
    folder: PathBuf,

    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct FromLayout {
    /// The folder of the layout; it is only read
    folder: PathBuf,

    /// The repository that it becomes [default: the name of the folder]
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,

    #[command(flatten)]
    target: Target,
}

impl ImportCommand {
    pub(crate) fn run(self, matches: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
        let (task, target) = match self.from {
            Origin::Distribution(from) => {
                let folder = whole_path(&from.folder)?;
                (ImportFrom::Distribution(folder), from.target)
            }
            Origin::Zot(from) => (ImportFrom::Zot(whole_path(&from.folder)?), from.target),
            Origin::OciLayout(from) => {
                let folder = whole_path(&from.folder)?;
                let named = || name_of(&folder);
                let repository = from.repository.map_or_else(named, Ok)?;
                (ImportFrom::OciLayout { folder, repository }, from.target)
            }
        };
        let config = target.load(matches)?;
        carry_out(&config, &Task::Import(task), target.json)
    }
}

/// The server that reads it may be in another folder than this command.
fn whole_path(folder: &Path) -> anyhow::Result<PathBuf> {
    absolute(folder).context("the folder has no absolute path")
}

fn name_of(folder: &Path) -> anyhow::Result<RepositoryName> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parsed = name.parse();
    parsed.with_context(|| {
        format!("{name:?} is not the name of a repository; choose one with --repository")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_called_as_its_folder_if_it_can_be() {
        assert_eq!(name_of(Path::new("/a/alpine")).unwrap().as_str(), "alpine");
        for path in ["/", "/a/Alpine", "/a/.."] {
            let error = name_of(Path::new(path)).unwrap_err();
            assert!(
                error.to_string().contains("--repository"),
                "{path}: {error}"
            );
        }
    }
}
