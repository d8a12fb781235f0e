//! The options: what they are, where they come from, and which source wins.

mod options;
mod values;

use std::fmt;
use std::fs;
use std::io::{Write, stderr};
use std::path::PathBuf;

use anyhow::Context;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use toml::Table;

use options::Options;
pub(crate) use options::{Config, PlaceOptions};
pub(crate) use values::{ChallengeKind, Delay, LogFormat, Rate, Time, UseAccounts};

/// Where options come from. A flag wins over the environment, that over the file, and the file over
/// the defaults.
#[derive(Args)]
pub(crate) struct Sources {
    /// A TOML file with the options below, without the dashes in front and with `_` for `-`: `tag_deletion = true`
    #[arg(long, env = "BERTH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    options: Options,
}

/// The options in effect, and for each where it comes from.
pub(crate) struct Configured {
    pub(crate) config: Config,
    origins: Vec<(String, &'static str)>,
}

impl Sources {
    /// As if only these had been given.
    pub(crate) fn of(config: Option<PathBuf>, place: PlaceOptions) -> Self {
        Self {
            config,
            options: place.into(),
        }
    }
}

impl Configured {
    /// Reads all sources. `matches` knows which flags were given and which came from the
    /// environment.
    pub(crate) fn load(sources: Sources, matches: Option<&ArgMatches>) -> anyhow::Result<Self> {
        let file = match &sources.config {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        Self::of(&sources.options, &file, matches)
    }

    fn of(options: &Options, file: &Table, matches: Option<&ArgMatches>) -> anyhow::Result<Self> {
        let given = Table::try_from(options)?;
        let mut table = Table::try_from(Config::default())?;
        let mut origins = Vec::new();
        for (key, value) in &mut table {
            let (origin, chosen) = match (given.get(key), file.get(key)) {
                (Some(chosen), _) => (origin(key, matches), Some(chosen)),
                (None, Some(chosen)) => ("file", Some(chosen)),
                (None, None) => ("default", None),
            };
            if let Some(chosen) = chosen {
                *value = chosen.clone();
            }
            origins.push((key.clone(), origin));
        }
        let config: Config = table.try_into()?;
        config.metadata.database()?;
        Ok(Self { config, origins })
    }
}

fn origin(key: &str, matches: Option<&ArgMatches>) -> &'static str {
    match matches.and_then(|matches| matches.value_source(key)) {
        Some(ValueSource::EnvVariable) => "environment",
        _ => "flag",
    }
}

fn read_file(path: &PathBuf) -> anyhow::Result<Table> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {shown}"))?;
    read_text(&text).with_context(|| {
        format!("the configuration file {shown} has an option that cannot be used")
    })
}

/// Reads it as options first: that is what knows the keys and checks the values.
fn read_text(text: &str) -> anyhow::Result<Table> {
    let options: Options = toml::from_str(text).map_err(|error| without_password(text, error))?;
    Ok(Table::try_from(options)?)
}

/// An error of the file repeats the line where it is. If that may have the password of the database, it only tells the number.
fn without_password(text: &str, mut error: toml::de::Error) -> anyhow::Error {
    if !error.to_string().contains("://") {
        return error.into();
    }
    let place = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(place);
    let line = 1 + before.filter(|byte| *byte == b'\n').count();
    error.set_input(None);
    anyhow::Error::new(error).context(format!("line {line}"))
}

#[cfg(test)]
impl Config {
    /// As a file with this text sets it.
    pub(crate) fn of_text(text: &str) -> anyhow::Result<Self> {
        let configured = Configured::of(&Options::default(), &read_text(text)?, None)?;
        Ok(configured.config)
    }
}

impl fmt::Display for Configured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::try_from(&self.config).map_err(|_| fmt::Error)?;
        table.insert("metadata".to_owned(), self.config.metadata.shown().into());
        for (key, origin) in &self.origins {
            if let Some(value) = table.get(key) {
                writeln!(formatter, "{key} = {value} # {origin}")?;
            }
        }
        Ok(())
    }
}

/// Ends the process with what is wrong with its arguments. If the value came from the environment,
/// says so: clap only names the flag.
pub(crate) fn exit_with(error: &clap::Error) -> ! {
    if let Some(variable) = culprit_variable(error) {
        let _ = writeln!(
            stderr(),
            "berth: the value comes from the environment variable {variable}"
        );
    }
    error.exit()
}

fn culprit_variable(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = argument.split_whitespace().next()?;
    // Not `args`, which panics over an argument that is not UTF-8.
    let given = std::env::args_os().any(|given| {
        let given = given.to_string_lossy();
        given.split('=').next() == Some(flag)
    });
    let name = flag
        .trim_start_matches('-')
        .replace('-', "_")
        .to_uppercase();
    let variable = format!("BERTH_{name}");
    (!given && std::env::var_os(&variable).is_some()).then_some(variable)
}
