use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use berth_postgres::test_server::TestServer;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::balancer::Balancer;
use crate::harness::Berth;
use crate::server::{Server, variables};

/// Nothing that is not needed is kept, not for a moment.
pub(crate) const NO_GRACE: &str = "0s";

/// Replicas of one registry on a database and a bucket, and a balancer before them. Everything ends with the value.
pub(crate) struct Cluster {
    pub(crate) balancer: Balancer,
    replicas: Vec<Mutex<Replica>>,
    variables: Vec<(String, String)>,
    folder: TempDir,
    pub(crate) bucket: Server,
    pub(crate) database: Arc<TestServer>,
    /// Which of its databases it is.
    name: String,
}

/// A process, and what those before it have logged.
struct Replica {
    berth: Berth,
    has_ended: bool,
    log: String,
}

impl Cluster {
    /// Starts so many replicas, which keep what nothing needs for a grace period. `endpoint` answers where they find the
    /// server of the bucket.
    pub(crate) fn start(
        replicas: usize,
        grace: &str,
        database: Arc<TestServer>,
        endpoint: impl FnOnce(&Server) -> String,
    ) -> Self {
        let bucket = Server::start();
        let variables = variables(&endpoint(&bucket));
        let folder = tempfile::tempdir().unwrap();
        let url = database.database();
        let name = name_in(url.expose_secret());
        let settings = format!(
            "metadata = \"{url}\"\n\
             blob_storage = \"s3://blobs/registry\"\n\
             collection_grace = \"{grace}\"\n\
             collection_interval = \"3s\"\n\
             tag_deletion = true\n",
            url = url.expose_secret()
        );
        fs::write(settings_in(folder.path()), settings).unwrap();
        let start = |_| Replica {
            berth: Berth::start_in(
                &variables,
                &options_in(folder.path()).each_ref().map(String::as_str),
            ),
            has_ended: false,
            log: String::new(),
        };
        let replicas: Vec<Replica> = (0..replicas).map(start).collect();
        let address = |replica: &Replica| replica.berth.address.clone();
        Self {
            balancer: Balancer::before(replicas.iter().map(address).collect()),
            replicas: replicas.into_iter().map(Mutex::new).collect(),
            variables,
            folder,
            bucket,
            database,
            name,
        }
    }

    /// Makes all objects, and what is known of those that were replaced, older by so much; where the database is away, the
    /// objects alone.
    pub(crate) fn age(&self, age: Duration) {
        self.bucket.age(age);
        let statement = format!(
            "UPDATE replaced_blobs SET replaced_at = replaced_at - {}",
            age.as_millis()
        );
        let _is_done = self.database.try_execute(&self.name, &statement);
    }

    /// How many replicas there are.
    pub(crate) fn size(&self) -> usize {
        self.replicas.len()
    }

    /// Where a replica is.
    pub(crate) fn address(&self, number: usize) -> String {
        self.replica(number).berth.address.clone()
    }

    /// Does something with a replica, which nobody else stops or starts meanwhile.
    pub(crate) fn with<T>(&self, number: usize, work: impl FnOnce(&Berth) -> T) -> T {
        work(&self.replica(number).berth)
    }

    /// Kills a replica, as a power cut would.
    pub(crate) fn kill(&self, number: usize) {
        let mut replica = self.replica(number);
        if !replica.has_ended {
            replica.berth.kill();
            replica.ended();
        }
    }

    /// Asks a replica to end, and waits until it has.
    pub(crate) fn terminate(&self, number: usize) {
        let mut replica = self.replica(number);
        replica.berth.terminate();
        replica.ended();
    }

    /// Starts a replica that has ended, and tells the balancer where it is.
    pub(crate) fn restart(&self, number: usize) {
        let mut replica = self.replica(number);
        replica.berth = replica.berth.restart();
        replica.has_ended = false;
        self.balancer.moved(number, &replica.berth.address);
    }

    /// Sends a replica a signal, as `kill` names it.
    pub(crate) fn signal(&self, number: usize, signal: &str) {
        self.replica(number).berth.signal(signal);
    }

    /// A command of the binary beside the replicas, configured as they are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(arguments);
        command.args(options_in(self.folder.path()));
        command.arg("--data").arg(self.folder.path().join("data"));
        command.envs(self.variables.clone());
        command
    }

    /// Ends all replicas, and answers what they logged of faults of their own.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for number in 0..self.size() {
            self.kill(number);
            let replica = self.replica(number);
            let lines = replica.log.lines();
            let told = lines.filter(|line| line.contains(r#""level":"ERROR""#));
            errors.extend(told.map(|line| format!("replica {number}: {line}")));
        }
        errors
    }

    /// Ends all replicas and writes what they logged into a folder.
    pub(crate) fn write_logs(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for number in 0..self.size() {
            self.kill(number);
            let name = format!("replica-{number}.log");
            fs::write(folder.join(name), &self.replica(number).log).unwrap();
        }
    }

    fn replica(&self, number: usize) -> MutexGuard<'_, Replica> {
        // A test that has failed already wants to know why, and not that.
        let lock = self.replicas[number].lock();
        lock.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Replica {
    /// Waits until the process has ended, and keeps what it logged.
    fn ended(&mut self) {
        self.has_ended = true;
        self.log.push_str(&self.berth.log());
        self.log.push_str("--- the process has ended\n");
    }
}

fn settings_in(folder: &Path) -> PathBuf {
    folder.join("berth.toml")
}

fn options_in(folder: &Path) -> [String; 2] {
    let settings = settings_in(folder);
    ["--config".to_owned(), settings.to_str().unwrap().to_owned()]
}

/// The name of the database that a URL leads to.
fn name_in(url: &str) -> String {
    let (_, place) = url.split_once("@/").unwrap();
    let (name, _) = place.split_once('?').unwrap();
    name.to_owned()
}
