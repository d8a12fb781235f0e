use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

pub(crate) const BUCKET: &str = "blobs";
pub(crate) const KEY: &str = "test-key";
pub(crate) const SECRET: &str = "do-not-tell-this-secret";

/// A versitygw with one bucket, in a folder of its own. It ends with the value.
pub(crate) struct Server {
    process: Child,
    folder: TempDir,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these options of versitygw too.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let program = program();
        assert!(
            program.is_file(),
            "{} is missing: cargo xtask setup installs it",
            program.display()
        );
        // Between finding a free port and using it, somebody else may take it.
        for _ in 0..5 {
            if let Some(server) = Self::start_on(&program, free_port(), options) {
                return server;
            }
        }
        panic!("versitygw does not start");
    }

    fn start_on(program: &Path, port: u16, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (data, sidecar) = (folder.path().join("data"), folder.path().join("sidecar"));
        std::fs::create_dir_all(data.join(BUCKET)).unwrap();
        std::fs::create_dir(&sidecar).unwrap();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new(program)
            .args([
                "--port", &address, "--access", KEY, "--secret", SECRET, "--quiet",
            ])
            .args(options)
            .args(["--keep-alive", "posix", "--sidecar"])
            .args([&sidecar, &data])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self {
            process,
            folder,
            address,
        };
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            if server.process.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(&server.address).is_ok() {
                return Some(server);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes all objects so much older than they are now. What is removed meanwhile stays removed.
    pub(crate) fn age(&self, by: Duration) {
        let bucket = self.folder.path().join("data").join(BUCKET);
        for object in self.objects() {
            let Ok(file) = File::open(bucket.join(object)) else {
                continue;
            };
            file.set_modified(SystemTime::now() - by).unwrap();
        }
    }

    /// The objects in the bucket, as the files that they are.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let bucket = self.folder.path().join("data").join(BUCKET);
        let mut found = Vec::new();
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(folder) {
                // The server removes folders that have become empty.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.unwrap(),
            };
            for entry in entries {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push(path.strip_prefix(&bucket).unwrap().to_owned()),
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/versitygw")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What a process would have in its environment to use the server.
pub(crate) fn variables(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
