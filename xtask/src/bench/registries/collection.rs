use std::path::Path;
use std::process::Command;

use super::{Program, configuration_file, storage};
use crate::bench::results::Registry;

/// How a registry gets rid of the bytes that nothing needs.
pub(in crate::bench) enum Collection {
    /// This command does it, beside the server.
    Beside(Command),
    /// This command does it. Nobody may write meanwhile, so the server is stopped.
    Stopped(Command),
    /// The server does it, when it was started for that.
    Within,
}

impl Program {
    /// How it collects in a data folder that it has served.
    pub(in crate::bench) fn collection(&self, data: &Path) -> Collection {
        let mut command = Command::new(&self.path);
        match self.registry {
            Registry::Berth => {
                command.args(["gc", "--grace", "0s", "--data"]);
                command.arg(storage(data));
                Collection::Beside(command)
            }
            Registry::Distribution => {
                command.env("OTEL_TRACES_EXPORTER", "none");
                command.arg("garbage-collect").arg(configuration_file(data));
                Collection::Stopped(command)
            }
            Registry::Zot => Collection::Within,
        }
    }
}
