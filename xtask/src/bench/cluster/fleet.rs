use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::gateway::{BUCKET, Gateway, KEY, REGION, SECRET};
use super::postgres::Postgres;
use super::world::DATABASE;
use crate::bench::process::Process;
use crate::bench::registries::configuration::{self, Bucket};
use crate::bench::registries::{Program, free_address, spawn, wait_for_answer};
use crate::bench::results::Registry;

/// How the bytes of a blob come to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// From the bucket through the server.
    Streamed,
    /// From the server's own disk.
    Cached,
    /// From the bucket, to which the server sends the client.
    Redirected,
}

/// Servers of one registry that are alike.
pub(super) struct Fleet {
    pub(super) registry: Registry,
    pub(super) delivery: Delivery,
    servers: Vec<Server>,
}

struct Server {
    process: Process,
    address: SocketAddr,
    log: PathBuf,
}

impl Fleet {
    /// Starts so many servers, each in a folder of its own inside this one, and waits until all answer.
    pub(super) async fn start(
        program: &Program,
        delivery: Delivery,
        count: usize,
        postgres: &Postgres,
        gateway: &Gateway,
        folder: &Path,
    ) -> Result<Self> {
        let registry = program.registry;
        let mut servers = Vec::new();
        for _ in 0..count {
            let folder = tempfile::Builder::new()
                .prefix(registry.name())
                .tempdir_in(folder)?
                .keep();
            let address = free_address()?;
            let mut command = match registry {
                Registry::Berth => berth(program, delivery, postgres, gateway, &folder, address),
                Registry::Distribution | Registry::Zot => {
                    distribution(program, delivery, gateway, &folder, address)?
                }
            };
            let mut process = spawn(&mut command, &folder)?;
            wait_for_answer(&mut process, address)
                .await
                .with_context(|| {
                    let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
                    format!("{} does not start: {said}", registry.name())
                })?;
            servers.push(Server {
                process,
                address,
                log: folder.join("log"),
            });
        }
        Ok(Self {
            registry,
            delivery,
            servers,
        })
    }

    /// The addresses of the first of its servers.
    pub(super) fn addresses(&self, count: usize) -> Vec<SocketAddr> {
        let servers = self.servers.iter().take(count);
        servers.map(|server| server.address).collect()
    }

    /// Their processes.
    pub(super) fn processes(&self, count: usize) -> impl Iterator<Item = &Process> {
        let servers = self.servers.iter().take(count);
        servers.map(|server| &server.process)
    }

    /// What its servers logged last of what went wrong, for whoever has to find out why.
    pub(super) fn complaints(&self) -> String {
        let logs = self.servers.iter().map(|server| {
            let log = fs::read_to_string(&server.log).unwrap_or_default();
            let mut lines = log.lines().filter(|line| is_complaint(line));
            lines.next_back().unwrap_or_default().to_owned()
        });
        let logs: Vec<String> = logs.filter(|line| !line.is_empty()).collect();
        format!("{} says: {}", self.registry.name(), logs.join("\n"))
    }
}

/// Lines of berth are JSON, those of distribution are words.
fn is_complaint(line: &str) -> bool {
    let line = line.to_lowercase();
    ["level=error", "\"level\":\"error\"", "\"level\":\"warn\""]
        .iter()
        .any(|mark| line.contains(mark))
}

/// Every replica has the same settings, but for the folder of its cache.
fn berth(
    program: &Program,
    delivery: Delivery,
    postgres: &Postgres,
    gateway: &Gateway,
    folder: &Path,
    address: SocketAddr,
) -> Command {
    let mut command = Command::new(&program.path);
    command.args(["serve", "--listen", &address.to_string()]);
    command
        .env("BERTH_METADATA", postgres.url(DATABASE))
        .env("BERTH_BLOB_STORAGE", format!("s3://{BUCKET}/berth"))
        .env("AWS_ENDPOINT_URL", gateway.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    match delivery {
        Delivery::Streamed => {}
        Delivery::Cached => {
            command.env("BERTH_BLOB_CACHE", "1GiB");
            command.env("BERTH_BLOB_CACHE_FOLDER", folder.join("cache"));
        }
        Delivery::Redirected => {
            command.env("BERTH_BLOB_REDIRECT", "all");
        }
    }
    command
}

fn distribution(
    program: &Program,
    delivery: Delivery,
    gateway: &Gateway,
    folder: &Path,
    address: SocketAddr,
) -> Result<Command> {
    let bucket = Bucket {
        endpoint: &gateway.endpoint(),
        region: REGION,
        name: BUCKET,
        key: KEY,
        secret: SECRET,
    };
    let is_redirecting = delivery == Delivery::Redirected;
    let configuration = configuration::distribution_on_s3(&bucket, address, is_redirecting);
    let file = folder.join("config.json");
    fs::write(&file, configuration.to_string())?;
    let mut command = Command::new(&program.path);
    // Its container image sets this too.
    command.env("OTEL_TRACES_EXPORTER", "none");
    command.arg("serve").arg(file);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_told_by_its_level() {
        assert!(is_complaint("time=\"now\" level=error msg=\"failed\""));
        assert!(is_complaint(
            r#"{"timestamp":"now","level":"WARN","message":"slow"}"#
        ));
        assert!(!is_complaint(
            r#"{"timestamp":"now","level":"INFO","message":"an error was mended"}"#
        ));
    }
}
