use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::process::Process;
use crate::bench::registries::{free_address, spawn};
use crate::tools;

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) const BUCKET: &str = "blobs";
pub(super) const KEY: &str = "bench";
pub(super) const SECRET: &str = "secret-of-the-bench";
pub(super) const REGION: &str = "us-east-1";

/// An S3 server, versitygw, with one bucket in a folder, until this is dropped.
pub(super) struct Gateway {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    log: PathBuf,
}

impl Gateway {
    /// Starts one in a folder that is not there yet. It keeps a log of requests only if somebody will read it.
    pub(super) fn start(folder: &Path, is_logging: bool) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(data.join(BUCKET))?;
        let (address, log) = (free_address()?, folder.join("requests"));
        let mut command = Command::new(tools::path("versitygw"));
        command.args(["--port", &address.to_string(), "--region", REGION]);
        command.args(["--access", KEY, "--secret", SECRET]);
        command.args(["--quiet", "--keep-alive"]);
        if is_logging {
            command.arg("--access-log").arg(&log);
        }
        command.arg("posix").arg(&data);
        let mut process = spawn(&mut command, folder)?;
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if !process.is_running() || started.elapsed() > START_TIMEOUT {
                let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
                bail!("versitygw does not start: {said}");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(Self {
            process,
            address,
            log,
        })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The operations that it has logged so far, in order.
    pub(super) fn operations(&self) -> Result<Vec<String>> {
        let log = fs::read_to_string(&self.log)?;
        Ok(log.lines().filter_map(operation).collect())
    }
}

/// What a line of the log is of: `GetObject`, `PutObject` and so on.
fn operation(line: &str) -> Option<String> {
    let word = line.split(' ').find_map(|word| word.strip_prefix("s3_"));
    word.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_in_the_log() {
        let line = "key blobs [26/November/2026:02:30:58 +0000] 127.0.0.1 key 97ROY5I54KDEWZEJ s3_HeadObject \
                    a/b /blobs/a/b 404 NoSuchKey 0 0 0 0 - agent/1.0 - 5Hb5";
        assert_eq!(operation(line).as_deref(), Some("HeadObject"));
        assert_eq!(operation("log starts 2026-11-26 02:30:58"), None);
    }
}
