use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder};
use tempfile::TempDir;

use super::Answer;

/// The real binary, serving on a free port until this is dropped.
pub(crate) struct Berth {
    process: Child,
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) client: Client,
    folder: Arc<TempDir>,
    options: Vec<String>,
    log: Option<JoinHandle<String>>,
}

impl Berth {
    /// Serves a new folder with the default options.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Serves a new folder with these options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(ToString::to_string).collect();
        Self::serve(Arc::new(tempfile::tempdir().unwrap()), options)
    }

    /// Serves a new folder on a disk of its own, which is in memory and gone with the process.
    pub(crate) fn start_on_a_disk_of(mebibytes: u32) -> Self {
        const MOUNT: &str = r#"mount -t tmpfs -o size="$1" disk "$2" && shift 2 && exec "$@""#;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"])
            .arg(format!("{mebibytes}m"))
            .arg(data)
            .arg(env!("CARGO_BIN_EXE_berth"));
        Self::spawn(command, Arc::new(folder), Vec::new())
    }

    /// Kills the process, as a power cut would, and serves the same folder again.
    pub(crate) fn kill_and_restart(mut self) -> Self {
        self.kill();
        self.restart()
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Serves the folder of a process that has ended.
    pub(crate) fn restart(&self) -> Self {
        Self::serve(Arc::clone(&self.folder), self.options.clone())
    }

    fn serve(folder: Arc<TempDir>, options: Vec<String>) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_berth"));
        Self::spawn(command, folder, options)
    }

    fn spawn(mut command: Command, folder: Arc<TempDir>, options: Vec<String>) -> Self {
        let mut process = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .args(&options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = process.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut log = String::new();
            errors.read_to_string(&mut log).unwrap();
            log
        });
        let mut greeting = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut greeting).unwrap();
        let address = greeting
            .strip_prefix("berth listens on http://")
            .and_then(|rest| rest.split_whitespace().next());
        let Some(address) = address.map(str::to_owned) else {
            process.kill().unwrap();
            panic!("berth said {greeting:?} and {}", log.join().unwrap());
        };
        Self {
            process,
            address,
            client: Client::builder().timeout(None).build().unwrap(),
            folder,
            options,
            log: Some(log),
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the process to end, and answers how it did and what it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.process.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        (status, log)
    }

    /// Waits for the process to end with this code, and serves its folder again.
    pub(crate) fn wait_and_restart(mut self, code: i32) -> Self {
        assert_eq!(self.process.wait().unwrap().code(), Some(code));
        self.restart()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) fn send(&self, method: &str, path: &str) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Answer::of(self.request(method, path).send().unwrap())
    }

    /// Sends a request with one header.
    pub(crate) fn send_with(&self, method: &str, path: &str, header: (&str, &str)) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Answer::of(
            self.request(method, path)
                .header(header.0, header.1)
                .send()
                .unwrap(),
        )
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path)
    }

    pub(crate) fn head(&self, path: &str) -> Answer {
        self.send("HEAD", path)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path)
    }

    pub(crate) fn post(&self, path: &str) -> Answer {
        self.send("POST", path)
    }

    pub(crate) fn patch(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer::of(
            self.request(Method::PATCH, path)
                .body(body.into())
                .send()
                .unwrap(),
        )
    }

    /// `PATCH` with a `Content-Range`.
    pub(crate) fn patch_range(&self, path: &str, range: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self
            .request(Method::PATCH, path)
            .header("content-range", range);
        Answer::of(request.body(body.into()).send().unwrap())
    }

    pub(crate) fn put(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        Answer::of(
            self.request(Method::PUT, path)
                .body(body.into())
                .send()
                .unwrap(),
        )
    }

    pub(crate) fn put_manifest(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = self
            .request(Method::PUT, path)
            .header("content-type", media_type);
        Answer::of(request.body(body.into()).send().unwrap())
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The most memory that a process has had in use, in bytes.
pub(crate) fn peak_memory(process_id: u32) -> u64 {
    let status = std::fs::read_to_string(
        Path::new("/proc")
            .join(process_id.to_string())
            .join("status"),
    );
    let status = status.unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

/// How many sockets a process has open.
pub(crate) fn open_sockets(process_id: u32) -> usize {
    let files = Path::new("/proc").join(process_id.to_string()).join("fd");
    let targets = std::fs::read_dir(files)
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let is_socket = |target: &std::path::PathBuf| target.to_string_lossy().starts_with("socket:");
    targets.filter(is_socket).count()
}
