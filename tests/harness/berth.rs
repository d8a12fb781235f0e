use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder};
use tempfile::TempDir;

use super::{Answer, Disk, client};

/// The real binary, serving on a free port until this is dropped.
pub(crate) struct Berth {
    process: Child,
    /// `http` or `https`.
    scheme: String,
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) client: Client,
    place: Place,
    log: Option<JoinHandle<String>>,
}

/// What a process is started with, and the next one that serves the same folder.
#[derive(Clone)]
struct Place {
    folder: Arc<TempDir>,
    disk: Option<Arc<Disk>>,
    /// A command that runs the one behind it in its own process.
    wrapper: Vec<String>,
    listen: String,
    options: Vec<String>,
    /// What its environment has beside that of the tests.
    variables: Vec<(String, String)>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            disk: None,
            wrapper: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
            options: Vec::new(),
            variables: Vec::new(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self) -> Command {
        let mut words = self.disk.as_ref().map_or(Vec::new(), |disk| disk.enter());
        words.extend_from_slice(&self.wrapper);
        words.push(env!("CARGO_BIN_EXE_berth").to_owned());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(["serve", "--listen", &self.listen, "--data"])
            .arg(self.data())
            .args(&self.options)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Berth {
    /// Serves a new folder with the default options.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Serves a new folder with these options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::start_under(&[], options)
    }

    /// Serves a new folder on this address with these options.
    pub(crate) fn start_at(listen: &str, options: &[&str]) -> Self {
        Self::serve(Place {
            listen: listen.to_owned(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Place::new()
        })
    }

    /// Serves a new folder with these options. `wrapper` is a command that runs the one behind it in its own
    /// process, as `nice` does.
    pub(crate) fn start_under(wrapper: &[&str], options: &[&str]) -> Self {
        Self::serve(Place {
            wrapper: wrapper.iter().map(ToString::to_string).collect(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Place::new()
        })
    }

    /// Serves a new folder with these options, and with these variables in its environment.
    pub(crate) fn start_in(variables: &[(String, String)], options: &[&str]) -> Self {
        Self::serve(Place {
            variables: variables.to_vec(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Place::new()
        })
    }

    /// As [`Berth::start_in`], with a wrapper as for [`Berth::start_under`].
    pub(crate) fn start_under_in(
        wrapper: &[String],
        variables: &[(String, String)],
        options: &[&str],
    ) -> Self {
        Self::serve(Place {
            wrapper: wrapper.to_vec(),
            variables: variables.to_vec(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Place::new()
        })
    }

    /// Serves a new folder on a disk of its own, which is in memory.
    pub(crate) fn start_on_a_disk_of(mebibytes: u32) -> Self {
        Self::start_on_a_disk_under(mebibytes, &[])
    }

    /// As [`Berth::start_on_a_disk_of`], with a wrapper as for [`Berth::start_under`].
    pub(crate) fn start_on_a_disk_under(mebibytes: u32, wrapper: &[&str]) -> Self {
        let place = Place::new();
        std::fs::create_dir(place.data()).unwrap();
        let disk = Disk::mount(&place.data(), mebibytes);
        Self::serve(Place {
            disk: Some(Arc::new(disk)),
            wrapper: wrapper.iter().map(ToString::to_string).collect(),
            ..place
        })
    }

    /// The disk that it was started on.
    pub(crate) fn disk(&self) -> &Disk {
        self.place.disk.as_ref().unwrap()
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
        Self::serve(self.place.clone())
    }

    /// The command of [`Berth::restart`], for a process that will not serve.
    pub(crate) fn command(&self) -> Command {
        self.place.command()
    }

    fn serve(place: Place) -> Self {
        let mut process = place
            .command()
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
        let url = greeting
            .strip_prefix("berth listens on ")
            .and_then(|rest| rest.split_whitespace().next());
        let Some((scheme, address)) = url.and_then(|url| url.split_once("://")) else {
            process.kill().unwrap();
            panic!("berth said {greeting:?} and {}", log.join().unwrap());
        };
        Self {
            process,
            scheme: scheme.to_owned(),
            address: address.to_owned(),
            client: client().timeout(None).build().unwrap(),
            place,
            log: Some(log),
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.data()
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends the process a signal, as `kill` names it.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for the process to end, and answers how it did and what it logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.process.wait().unwrap();
        (status, self.log())
    }

    /// What a process logged that has ended.
    pub(crate) fn log(&mut self) -> String {
        self.log.take().unwrap().join().unwrap()
    }

    /// Waits for the process to end with this code, and serves its folder again.
    pub(crate) fn wait_and_restart(mut self, code: i32) -> Self {
        assert_eq!(self.process.wait().unwrap().code(), Some(code));
        self.restart()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}://{}{path}", self.scheme, self.address))
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
