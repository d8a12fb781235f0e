use std::io::{self, BufWriter, IsTerminal};

use anyhow::Context;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

use crate::config::{Config, LogFormat};

/// How many lines may wait for standard error. Whoever has one more waits with it: no line is lost.
const WAITING_LINES: usize = 4096;

/// Sends log lines to standard error, on a thread of their own: many together when there are many,
/// and none later than the thread gets to it. What still waits is written when the answer is
/// dropped.
pub(crate) fn start(config: &Config) -> anyhow::Result<WorkerGuard> {
    let filter = config.log.filter().context("log is not a filter")?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log-writer")
        .finish(BufWriter::new(io::stderr()));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let is_terminal = io::stderr().is_terminal();
    match config.log_format {
        LogFormat::Auto if is_terminal => lines.init(),
        LogFormat::Human => lines.with_ansi(is_terminal).init(),
        LogFormat::Auto | LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .init(),
    }
    Ok(guard)
}
