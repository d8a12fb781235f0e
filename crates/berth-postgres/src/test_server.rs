//! A PostgreSQL for tests: its own server in a folder of its own, which goes when the last test that uses it is done.
//!
//! ```no_run
//! let server = berth_postgres::test_server::TestServer::shared();
//! let metadata = berth_postgres::PostgresMetadata::open(&server.database(), &Default::default())?;
//! # Ok::<(), berth_metadata::MetadataError>(())
//! ```
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use secrecy::SecretString;
use tempfile::TempDir;

/// The password of all of these servers. It takes escaping in a URL.
const PASSWORD: &str = "s3cret/@ of tests";
const PASSWORD_IN_URL: &str = "s3cret%2F%40%20of%20tests";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to do when there is none.
const REMEDY: &str = "Install it with: cargo xtask setup (or apt-get install postgresql)";

/// A running server.
pub struct TestServer {
    folder: TempDir,
    programs: PathBuf,
    /// Whom the server runs as, if not as whoever tests: it refuses to run as root.
    user: Option<String>,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// The port of the loopback interface where it listens as well.
    port: Option<u16>,
}

static SHARED: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());

impl TestServer {
    /// The server of this process, which runs while somebody has it.
    ///
    /// # Panics
    /// When there is no PostgreSQL, or it does not start.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server of one's own, to be stopped in the middle of something.
    ///
    /// # Panics
    /// As [`TestServer::shared`].
    pub fn start() -> Self {
        Self::start_at(None)
    }

    /// As [`TestServer::start`], one that listens on a port of the loopback interface as well: see [`TestServer::url_over_tcp`].
    ///
    /// # Panics
    /// As [`TestServer::shared`].
    pub fn start_on_tcp() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(Some(port))
    }

    fn start_at(port: Option<u16>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("berth-postgres-")
            .tempdir()
            .unwrap();
        let server = Self {
            folder,
            programs: programs(),
            user: user(),
            process: Mutex::new(None),
            databases: AtomicU32::new(0),
            port,
        };
        server.own(server.folder.path());
        server.initialize();
        server.start_again();
        server
    }

    /// Starts the server after [`TestServer::stop`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&self) {
        let log = fs::File::create(self.path("log")).unwrap();
        // Whatever ends this process closes the pipe, and that ends the server.
        let script = "\"$0\" \"$@\" & server=$!; read -r _; kill -INT $server; wait $server";
        let mut command = self.command("sh");
        command.arg("-c").arg(script);
        command.arg(self.programs.join("postgres"));
        command.arg("-D").arg(self.path("data"));
        let listen = match self.port {
            Some(port) => [
                "listen_addresses=127.0.0.1".to_owned(),
                format!("port={port}"),
            ],
            None => ["listen_addresses=".to_owned(), "port=5432".to_owned()],
        };
        for setting in listen {
            command.args(["-c", &setting]);
        }
        for setting in [
            "fsync=off",
            "shared_buffers=32MB",
            "max_connections=200",
            "log_min_messages=warning",
        ] {
            command.args(["-c", setting]);
        }
        command.arg("-c");
        command.arg(format!("unix_socket_directories={}", self.place()));
        command.stdin(Stdio::piped());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = command.spawn().unwrap();
        let begun = Instant::now();
        while let Err(error) = PgConnection::establish(&self.url("postgres")) {
            let has_ended = process.try_wait().unwrap().is_some();
            if has_ended || begun.elapsed() > PATIENCE {
                panic!("PostgreSQL does not start: {error}\n{}", self.log());
            }
            sleep(Duration::from_millis(50));
        }
        *self.process() = Some(process);
    }

    /// Stops the server: connections are cut, and transactions under way rolled back.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        let Some(mut process) = self.process().take() else {
            return;
        };
        drop(process.stdin.take());
        process.wait().unwrap();
    }

    /// Makes a standby of the server, which is stopped: one that only replays what another one would send.
    ///
    /// # Panics
    /// When its folder cannot be written to.
    pub fn make_standby(&self) {
        self.give("data/standby.signal", "");
    }

    /// Writes a file that the server reads, under its folder, and answers where it is.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn give(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        // It takes no key that others may read.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.own(&path);
        path
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn database(&self) -> SecretString {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("metadata_{number}");
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name).into()
    }

    /// Runs statements in a database, as its owner might do by hand.
    ///
    /// # Panics
    /// When they fail.
    pub fn execute(&self, database: &str, statements: &str) {
        let mut connection = PgConnection::establish(&self.url(database)).unwrap();
        connection.batch_execute(statements).unwrap();
    }

    /// As [`TestServer::execute`], and answers whether it was done: the server may be away.
    pub fn try_execute(&self, database: &str, statements: &str) -> bool {
        let connecting = PgConnection::establish(&self.url(database)).ok();
        connecting.is_some_and(|mut connection| connection.batch_execute(statements).is_ok())
    }

    /// Begins a transaction and leaves it open, with the locks of its statements, until the answer is dropped.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn hold(&self, database: &str, statements: &str) -> impl Sized + use<> {
        let mut connection = PgConnection::establish(&self.url(database)).unwrap();
        let statements = format!("BEGIN; {statements}");
        connection.batch_execute(&statements).unwrap();
        connection
    }

    /// The column `text` of the rows of a query.
    ///
    /// # Panics
    /// When it fails.
    pub fn texts(&self, database: &str, query: &str) -> Vec<String> {
        let mut connection = PgConnection::establish(&self.url(database)).unwrap();
        let rows: Vec<Row> = diesel::sql_query(query).load(&mut connection).unwrap();
        rows.into_iter().map(|row| row.text).collect()
    }

    /// The URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        let place = self.place();
        let port = self
            .port
            .map_or_else(String::new, |port| format!("&port={port}"));
        format!("postgresql://berth:{PASSWORD_IN_URL}@/{database}?host={place}{port}")
    }

    /// The URL of a database of a server that was started with [`TestServer::start_on_tcp`], by a name that leads to this machine.
    pub fn url_over_tcp(&self, host: &str, database: &str) -> String {
        let port = self.port.unwrap_or_default();
        format!("postgresql://berth:{PASSWORD_IN_URL}@{host}:{port}/{database}")
    }

    /// What the server has logged since it was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the socket. Names of temporary folders need no escaping.
    fn place(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// A program that runs as the server does.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(self.folder.path());
        command
    }

    fn own(&self, path: &Path) {
        let Some(user) = &self.user else { return };
        let id = |flag: &str| {
            output(Command::new("id").args([flag, user]))
                .parse()
                .unwrap()
        };
        chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }

    fn initialize(&self) {
        let password = self.path("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let mut command = self.command(self.programs.join("initdb"));
        command.arg("-D").arg(self.path("data"));
        command.arg("--pwfile").arg(&password);
        command.args([
            "--username=berth",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            // Its order is not that of bytes: what relies on the default is found out.
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
            "--no-sync",
        ]);
        output(&mut command);
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder of the newest PostgreSQL that is installed.
fn programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).collect::<Vec<_>>();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    versions.sort();
    let versions = versions.into_iter().rev().map(|(_, folder)| folder);
    let is_whole = |folder: &PathBuf| has(folder, "initdb") && has(folder, "postgres");
    let found = versions.chain(on_path).find(is_whole);
    found.unwrap_or_else(|| panic!("these tests need PostgreSQL, 15 or newer. {REMEDY}"))
}

fn has(folder: &Path, program: &str) -> bool {
    folder.join(program).is_file()
}

/// As whom the server runs, if whoever tests is root.
fn user() -> Option<String> {
    if output(Command::new("id").arg("-u")) != "0" {
        return None;
    }
    let exists = |user: &&str| {
        let found = Command::new("id").arg(user).output();
        found.is_ok_and(|found| found.status.success())
    };
    let user = ["postgres", "nobody"].into_iter().find(exists);
    Some(
        user.unwrap_or_else(|| {
            panic!("PostgreSQL does not run as root, and there is no user nobody")
        })
        .to_owned(),
    )
}

fn output(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| {
        panic!("{command:?} cannot be run: {error}");
    });
    let (text, errors) = [&done.stdout, &done.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned())
        .into();
    assert!(done.status.success(), "{command:?} failed: {errors}");
    text
}
