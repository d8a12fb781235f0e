use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgMatches, Args};

use crate::config::{AuditFile, Config, Configured, Sources};

/// Which data folder a command is for, and how its registry is configured.
#[derive(Args)]
pub(crate) struct Target {
    /// A TOML file with the options of the registry, as for berth serve
    #[arg(long, env = "BERTH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// The folder that holds everything [default: ./data]
    #[arg(long, env = "BERTH_DATA", value_name = "FOLDER")]
    data: Option<String>,

    /// The file in which it is recorded what is done to accounts, or off, if no server does it
    #[arg(long, env = "BERTH_AUDIT_LOG", value_name = "FILE|off", value_parser = OsStringValueParser::new().try_map(AuditFile::try_from))]
    audit_log: Option<AuditFile>,

    /// Whether nothing is done to accounts while that cannot be recorded
    #[arg(long, env = "BERTH_AUDIT_REQUIRED", value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    audit_required: Option<bool>,

    /// Print what came of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Target {
    /// The options in effect.
    pub(crate) fn load(&self, matches: Option<&ArgMatches>) -> anyhow::Result<Config> {
        let sources = Sources::of(
            self.config.clone(),
            self.data.as_deref(),
            self.audit_log.clone(),
            self.audit_required,
        )?;
        Ok(Configured::load(sources, matches)?.config)
    }

    /// Whether a configuration was named, so that it is to be used whatever a server has.
    pub(crate) fn is_configured(&self) -> bool {
        self.config.is_some()
    }
}
