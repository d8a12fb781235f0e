use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Sends log lines to standard error.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| {
        format!(
            "log = {:?} is not a filter; info, debug or \"info,berth_http=debug\" would do",
            config.log
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let is_terminal = io::stderr().is_terminal();
    match config.log_format {
        LogFormat::Auto if is_terminal => lines.init(),
        LogFormat::Human => lines.with_ansi(is_terminal).init(),
        LogFormat::Auto | LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
