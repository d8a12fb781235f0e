use std::path::PathBuf;

use clap::{ArgMatches, Args};

use crate::config::{Config, Configured, PlaceOptions, Sources};

/// Which registry a command is for, and how it is configured.
#[derive(Args)]
pub(crate) struct Target {
    /// A TOML file with the options of the registry, as for berth serve
    #[arg(long, env = "BERTH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    place: PlaceOptions,

    /// Print what came of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Target {
    /// The options in effect.
    pub(crate) fn load(&self, matches: Option<&ArgMatches>) -> anyhow::Result<Config> {
        let sources = Sources::of(self.config.clone(), self.place.clone());
        Ok(Configured::load(sources, matches)?.config)
    }

    /// Whether a configuration was named, so that it is to be used whatever a server has.
    pub(crate) fn is_configured(&self) -> bool {
        self.config.is_some()
    }
}
