use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use tempfile::TempDir;

use crate::harness::{Answer, Berth, Image, OCI_MANIFEST, digest};

/// The password of everybody in the password file, and its hash at the lowest cost.
pub(crate) const PASSWORD: &str = "secret";
pub(crate) const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

/// Everybody in the password file, and what they may do.
const USERS: [&str; 8] = [
    "reader", "writer", "deleter", "admin", "pusher", "eraser", "stranger", "root",
];

const RULES: &str = r#"
[groups]
pullers = ["reader", "writer", "deleter"]

[[rule]]
repositories = ["team/**"]
who = ["group:pullers"]
actions = ["pull"]

[[rule]]
repositories = ["team/**"]
who = ["writer", "deleter", "pusher"]
actions = ["push"]

[[rule]]
repositories = ["team/**"]
who = ["deleter", "eraser"]
actions = ["delete"]

[[rule]]
repositories = ["team/**"]
who = ["admin"]
actions = ["admin"]

[[rule]]
repositories = ["open/**"]
who = ["authenticated"]
actions = ["pull", "push", "delete"]

[[rule]]
who = ["root"]
actions = ["admin"]

[[rule]]
repositories = ["public/**"]
who = ["anonymous"]
actions = ["pull"]
"#;

/// A server that asks who everybody is.
pub(crate) struct World {
    pub(crate) berth: Berth,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_with("", &[])
    }

    /// With more in its configuration file and on its command line.
    pub(crate) fn start_with(options: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = USERS.map(|user| format!("{user}:{HASH}\n")).concat();
        let passwords = folder.path().join("passwords");
        fs::write(&passwords, users).unwrap();
        let file = folder.path().join("berth.toml");
        let htpasswd = passwords.to_str().unwrap();
        fs::write(
            &file,
            format!("htpasswd = {htpasswd:?}\n{options}\n{RULES}"),
        )
        .unwrap();
        let arguments = [&["--config", file.to_str().unwrap()], arguments].concat();
        let berth = Berth::start_with(&arguments);
        Self { berth, folder }
    }

    /// Asks with the header `Authorization`, or without one.
    pub(crate) fn ask(&self, method: &str, path: &str, authorization: Option<&str>) -> Answer {
        self.send(method, path, authorization, &[], Vec::new())
    }

    /// Asks as somebody in the password file.
    pub(crate) fn ask_as(&self, user: &str, method: &str, path: &str) -> Answer {
        self.ask(method, path, Some(&basic(user, PASSWORD)))
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.berth.request(method, path);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.body(body).send().unwrap())
    }

    /// Pushes a blob, as somebody who may do everything.
    pub(crate) fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        self.push_as(&basic("root", PASSWORD), repository, content)
    }

    /// Pushes a blob with this header `Authorization`.
    pub(crate) fn push_as(&self, authorization: &str, repository: &str, content: &[u8]) -> String {
        let digest = digest(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let headers = [("content-type", "application/octet-stream")];
        self.send(
            "POST",
            &path,
            Some(authorization),
            &headers,
            content.to_vec(),
        )
        .is(201);
        digest
    }

    /// Pushes an image with a tag, as somebody who may do everything.
    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Image) {
        self.push_blob(repository, &image.config);
        self.push_blob(repository, &image.layer);
        let path = format!("/v2/{repository}/manifests/{tag}");
        let root = basic("root", PASSWORD);
        let headers = [("content-type", OCI_MANIFEST)];
        self.send("PUT", &path, Some(&root), &headers, image.manifest.clone())
            .is(201);
    }

    /// A token for these scopes, as a header `Authorization`.
    pub(crate) fn bearer(&self, user: &str, scopes: &[&str]) -> String {
        let answer = self.ask_as(user, "GET", &token_path(scopes)).is(200);
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }

    /// Runs a command beside the server, and answers what it printed.
    pub(crate) fn command(&self, words: &[&str], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(words)
            .arg("--data")
            .arg(self.berth.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a robot token, and answers it.
    pub(crate) fn robot(&self, name: &str, repository: &str, actions: &str) -> String {
        let words = ["token", "add", name, "--repository", repository];
        self.command(&[&words[..], &["--action", actions]].concat(), "")
    }
}

/// A header `Authorization` with a name and a password.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Where a token for these scopes is to be had.
pub(crate) fn token_path(scopes: &[&str]) -> String {
    let scopes = scopes.iter().map(|scope| format!("&scope={scope}"));
    format!("/token?service=berth{}", scopes.collect::<String>())
}
