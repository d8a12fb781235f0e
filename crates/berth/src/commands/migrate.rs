use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use berth_registry::{Registry, Settings};
use berth_transfer::{Extra, Migration, MigrationReport, RegistrySource};
use clap::Args;
use tokio::runtime::Runtime;

use super::print;
use crate::config::{Config, Configured, PlaceOptions, Sources};
use crate::logs;
use crate::place::{Claim, Place, Stores};
use crate::terminal::Terminal;
use crate::upkeep::{Findings, Outcome, Watcher};

/// Which registry becomes which.
#[derive(Args)]
pub(crate) struct MigrateCommand {
    /// The registry to copy, which may serve meanwhile: its data folder, or its configuration file
    #[arg(long, value_name = "PLACE")]
    from: PathBuf,

    /// The registry to copy to: a data folder, which is made if it is missing, or a configuration file
    #[arg(long, value_name = "PLACE")]
    to: PathBuf,

    /// Also delete at the destination what the source does not have; for the last run, before anybody uses the destination
    #[arg(long)]
    delete: bool,

    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// One end of a migration.
struct End {
    config: Config,
    place: Place,
}

impl MigrateCommand {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let (from, to) = (End::of(&self.from)?, End::of(&self.to)?);
        anyhow::ensure!(
            !from.is(&to),
            "both places are the same: {}; choose another destination with --to",
            to.place
        );
        let _logs = logs::start(&to.config)?;
        let extra = match self.delete {
            true => Extra::Delete,
            false => Extra::Keep,
        };
        // Before anything is made at the destination.
        anyhow::ensure!(
            from.place.has_registry(&from.config)?,
            "there is no registry in {}; choose another source with --from",
            from.place
        );
        let terminal = Terminal::new();
        let claim = to.place.claim()?;
        let runtime = Runtime::new().context("cannot start the runtime")?;
        let migrated = runtime.block_on(migrate(&from, &to, &claim, extra, &terminal));
        // What still writes ends before the place is given up.
        drop(runtime);
        drop(claim);
        drop(terminal);
        print(&Outcome::Migrated(migrated?), self.json)
    }
}

impl End {
    /// The environment does not count: its options would be those of both ends.
    fn of(path: &Path) -> anyhow::Result<Self> {
        let sources = match path.is_file() {
            true => Sources::of(Some(path.to_owned()), PlaceOptions::default()),
            false => {
                let folder = PlaceOptions::of_folder(path).map_err(anyhow::Error::msg)?;
                Sources::of(None, folder)
            }
        };
        let config = Configured::load(sources, None)?.config;
        let place = Place::of(&config)?;
        Ok(Self { config, place })
    }

    fn is(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Folder(one), Place::Folder(other)) => {
                let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
                whole(one) == whole(other)
            }
            (one, other) => one.to_string() == other.to_string(),
        }
    }
}

async fn migrate(
    from: &End,
    to: &End,
    claim: &Claim,
    extra: Extra,
    watcher: &dyn Watcher,
) -> anyhow::Result<MigrationReport> {
    let copy =
        tempfile::tempdir().context("cannot make a temporary folder; TMPDIR chooses where")?;
    let reading = from.place.look(&from.config, copy.path()).await;
    let source = reading.with_context(|| format!("cannot read the registry in {}", from.place))?;
    let destination = claim.open(&to.config).await?;
    let migration = Migration {
        source: &source_of(&source),
        source_accounts: &*source.metadata,
        destination: &Registry::new(
            destination.metadata.clone(),
            destination.blobs.clone(),
            everything_allowed(),
        ),
        destination_contents: Arc::clone(&destination.metadata) as Arc<_>,
        destination_accounts: &*destination.metadata,
        extra,
    };
    Ok(migration.run(&Findings(watcher)).await?)
}

fn source_of(stores: &Stores) -> RegistrySource {
    let metadata = &stores.metadata;
    RegistrySource::of_parts(
        metadata.clone(),
        metadata.clone(),
        metadata.clone(),
        stores.blobs.clone(),
    )
}

/// What the source has was allowed there.
fn everything_allowed() -> Settings {
    Settings {
        tag_deletion: true,
        manifest_size_limit: usize::MAX,
        ..Settings::default()
    }
}
