use std::io::{self, IsTerminal};

use anyhow::Context;

use crate::config::{Config, LogFormat};
use crate::json_lines::JsonLines;
use crate::log_writer::{LogThread, LogWriter};

/// Sends log lines to standard error, on a thread of their own. What still waits is written when the
/// answer is dropped.
pub(crate) fn start(config: &Config) -> anyhow::Result<LogThread> {
    let filter = config.log.filter().context("log is not a filter")?;
    let (writer, thread) = LogWriter::start(io::stderr()).context("cannot start the log")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let is_terminal = io::stderr().is_terminal();
    match config.log_format {
        LogFormat::Auto if is_terminal => lines.init(),
        LogFormat::Human => lines.with_ansi(is_terminal).init(),
        LogFormat::Auto | LogFormat::Json => {
            lines.fmt_fields(JsonLines).event_format(JsonLines).init();
        }
    }
    Ok(thread)
}
