use std::process::{Command, Output};
use std::sync::Arc;

use berth_postgres::test_server::TestServer;
use secrecy::ExposeSecret;

use crate::harness::Berth;
use crate::server::{Server, variables};

/// The bucket of all replicas.
pub(crate) const STORAGE: [&str; 2] = ["--blob-storage", "s3://blobs/registry"];

/// A database and a bucket, and the replicas of a registry over them.
pub(crate) struct World {
    pub(crate) postgres: Arc<TestServer>,
    /// With the password.
    pub(crate) url: String,
    pub(crate) bucket: Server,
}

impl World {
    pub(crate) fn new() -> Self {
        let postgres = TestServer::shared();
        let url = postgres.database().expose_secret().to_owned();
        let bucket = Server::start();
        Self {
            postgres,
            url,
            bucket,
        }
    }

    /// What the environment of a replica has.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = variables(&self.bucket.endpoint());
        variables.push(("BERTH_METADATA".to_owned(), self.url.clone()));
        variables
    }

    /// One more replica.
    pub(crate) fn start(&self) -> Berth {
        self.start_with(&[])
    }

    /// One more replica, with these options.
    pub(crate) fn start_with(&self, options: &[&str]) -> Berth {
        Berth::start_in(&self.variables(), &[&STORAGE, options].concat())
    }

    /// A command on the registry, beside its replicas.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(arguments).envs(self.variables());
        command.env("BERTH_BLOB_STORAGE", STORAGE[1]);
        command
    }

    /// What a command prints that succeeds.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = text(&output);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// As it is written in a URL, and as it is meant.
const PASSWORDS: [&str; 2] = ["s3cret%2F%40%20of%20tests", "s3cret/@ of tests"];

impl World {
    /// Whether a text has the password of the database in it.
    pub(crate) fn tells_password(&self, text: &str) -> bool {
        assert!(self.url.contains(PASSWORDS[0]));
        text.contains("s3cret")
    }

    pub(crate) fn password(&self) -> &'static str {
        PASSWORDS[1]
    }

    pub(crate) fn url_without_password(&self) -> String {
        let url = self.url.replace(&format!(":{}", PASSWORDS[0]), "");
        assert_ne!(url, self.url);
        url
    }

    /// What a query answers that has one row with one text.
    pub(crate) fn ask(&self, query: &str) -> String {
        self.postgres.texts(self.database(), query).remove(0)
    }

    /// Runs statements in the database, as its owner might do by hand.
    pub(crate) fn execute(&self, statements: &str) {
        self.postgres.execute(self.database(), statements);
    }

    fn database(&self) -> &str {
        let (_, place) = self.url.split_once("@/").unwrap();
        let (database, _) = place.split_once('?').unwrap();
        database
    }
}

/// All that a process has said.
pub(crate) fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}
