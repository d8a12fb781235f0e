use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bench::process::Process;
use crate::bench::registries::{free_address, spawn};
use crate::command::{command, output, run_quietly, works};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

const USER: &str = "berth";

/// What differs from what PostgreSQL ships: room for the connections of all replicas, memory as its manual
/// advises for a machine of its own that is small, and fewer checkpoints. Durability is as it ships: on.
const SETTINGS: [&str; 4] = [
    "max_connections=200",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "unix_socket_directories=",
];

/// A PostgreSQL of its own, in a folder of its own, until this is dropped.
pub(super) struct Postgres {
    pub(super) process: Process,
    address: SocketAddr,
    password: String,
    programs: PathBuf,
}

impl Postgres {
    /// Makes one in a folder that is not there yet, and starts it with these settings beside the usual ones.
    pub(super) fn start(folder: &Path, settings: &[&str]) -> Result<Self> {
        let programs = programs()?;
        let account = Account::for_server()?;
        fs::create_dir(folder)?;
        account.own(folder)?;
        let password = format!("{:032x}", rand::random::<u128>());
        initialize(folder, &programs, &account, &password)
            .context("cannot make a PostgreSQL database")?;
        let address = free_address()?;
        let mut server = account.command(&programs.join("postgres"), folder);
        server.arg("-D").arg(folder.join("data"));
        server.args(["-c", "listen_addresses=127.0.0.1", "-p"]);
        server.arg(address.port().to_string());
        for setting in SETTINGS.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let server = Self {
            process: spawn(&mut server, folder)?,
            address,
            password,
            programs,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&self) -> Result<()> {
        let started = Instant::now();
        while let Err(error) = self.query("postgres", "SELECT 1") {
            if started.elapsed() > START_TIMEOUT {
                return Err(error.context("PostgreSQL does not start"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The URL of a database, with the password.
    pub(super) fn url(&self, database: &str) -> String {
        let (password, address) = (&self.password, self.address);
        format!("postgresql://{USER}:{password}@{address}/{database}")
    }

    /// The rows that statements answer, and what is in each column, as text.
    pub(super) fn query(&self, database: &str, statements: &str) -> Result<Vec<Vec<String>>> {
        let mut psql = self.psql(database);
        let answer = output(psql.args(["-c", statements]))?;
        let answer = String::from_utf8(answer)?;
        let columns = |line: &str| line.split('\t').map(str::to_owned).collect();
        Ok(answer.lines().map(columns).collect())
    }

    /// The only number that statements answer.
    pub(super) fn number(&self, database: &str, statements: &str) -> Result<f64> {
        let rows = self.query(database, statements)?;
        let cell = rows.last().and_then(|row| row.first());
        let cell = cell.with_context(|| format!("there is no answer to {statements}"))?;
        Ok(cell.parse()?)
    }

    /// Runs a file of statements, with these variables of psql.
    pub(super) fn run(
        &self,
        database: &str,
        file: &Path,
        variables: &[(&str, usize)],
    ) -> Result<()> {
        let mut psql = self.psql(database);
        for (name, value) in variables {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        run_quietly(psql.arg("-f").arg(file))
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        // Nothing of whoever runs this; tuples alone, with a tab between columns; the first error ends it.
        psql.args(["-X", "-q", "-A", "-t", "-F", "\t"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p"]);
        psql.arg(self.address.port().to_string());
        psql.args(["-U", USER, "-d", database]);
        psql.env("PGPASSWORD", &self.password);
        psql
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A killed server would leave shared memory behind.
        let _ = self.process.interrupt();
    }
}

/// The version of the server that is installed.
pub(super) fn version() -> Result<String> {
    let said = output(Command::new(programs()?.join("postgres")).arg("--version"))?;
    let said = String::from_utf8_lossy(&said);
    let number = said.split_whitespace().nth(2).unwrap_or("unknown");
    Ok(number.to_owned())
}

fn initialize(folder: &Path, programs: &Path, account: &Account, password: &str) -> Result<()> {
    let file = folder.join("password");
    fs::write(&file, password)?;
    account.own(&file)?;
    let mut initdb = account.command(&programs.join("initdb"), folder);
    initdb.arg("-D").arg(folder.join("data"));
    initdb.arg("--pwfile").arg(&file);
    initdb.arg(format!("--username={USER}"));
    initdb.args([
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]);
    run_quietly(&mut initdb)
}

/// As whom the server runs: it refuses to run as root.
struct Account {
    /// If not as whoever measures.
    user: Option<&'static str>,
}

impl Account {
    fn for_server() -> Result<Self> {
        let is_root = works("sh", &["-c", "test \"$(id -u)\" = 0"]);
        if !is_root {
            return Ok(Self { user: None });
        }
        let users = ["postgres", "nobody"];
        let user = users.into_iter().find(|user| works("id", &[user]));
        ensure!(
            user.is_some(),
            "PostgreSQL does not run as root, and there is no user nobody"
        );
        Ok(Self { user })
    }

    /// Makes something that only the server needs its own.
    fn own(&self, path: &Path) -> Result<()> {
        let Some(user) = self.user else {
            return Ok(());
        };
        let id = |flag| -> Result<u32> {
            let said = output(&mut command("id", &[flag, user]))?;
            Ok(String::from_utf8_lossy(&said).trim().parse()?)
        };
        chown(path, Some(id("-u")?), Some(id("-g")?))?;
        Ok(())
    }

    /// A program that runs as the server does, in this folder.
    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
                command.arg(program);
                command
            }
        };
        command.current_dir(folder);
        command
    }
}

/// Lets others pass through a folder to what is theirs in it.
pub(super) fn open_to_others(folder: &Path) -> Result<()> {
    Ok(fs::set_permissions(
        folder,
        fs::Permissions::from_mode(0o711),
    )?)
}

/// The folder of the newest PostgreSQL that is installed.
fn programs() -> Result<PathBuf> {
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
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let is_whole = |folder: &PathBuf| {
        let needed = ["initdb", "postgres", "psql"];
        needed.iter().all(|program| folder.join(program).is_file())
    };
    let found = versions.chain(on_path).find(is_whole);
    found.context("PostgreSQL is missing. Install it with: cargo xtask setup")
}
