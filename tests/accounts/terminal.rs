//! A password that is typed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::harness::wait_until;
use crate::json;

const PASSWORD: &str = "correct horse battery";

/// A command that has a terminal, on which somebody types.
struct Typist {
    process: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Typist {
    fn start(arguments: &[&str], data: &Path) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = || {
            let end = File::options()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap());
            Stdio::from(OwnedFd::from(end.unwrap()))
        };
        // Gives the command a session of its own, with this terminal.
        let process = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_berth")])
            .args(arguments)
            .arg("--data")
            .arg(data)
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let keyboard = File::from(terminal);
        let screen = Arc::<Mutex<String>>::default();
        let (mut output, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut piece = [0; 1024];
            // An error tells that the command has ended.
            while let Ok(length @ 1..) = output.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..length]);
                shown.lock().unwrap().push_str(&text);
            }
        });
        Self {
            process,
            keyboard,
            screen,
        }
    }

    /// Waits for a question, and answers it when what is typed is not shown any more.
    fn answer(&mut self, question: &str, answer: &str) {
        wait_until(question, || self.shows(question));
        wait_until("the terminal shows nothing that is typed", || {
            let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
            !modes.contains(LocalModes::ECHO)
        });
        self.keyboard
            .write_all(format!("{answer}\r").as_bytes())
            .unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.lock().unwrap().contains(text)
    }

    /// Waits for the end, and answers whether it succeeded.
    fn succeeds(&mut self) -> bool {
        self.process.wait().unwrap().success()
    }
}

const ADD: [&str; 3] = ["user", "add", "alice"];

#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut typist = Typist::start(&ADD, &data);
    typist.answer("New password of alice: ", PASSWORD);
    typist.answer("The same again: ", PASSWORD);
    assert!(typist.succeeds());
    wait_until("it tells what it did", || {
        typist.shows("added the user alice")
    });
    assert!(!typist.shows(PASSWORD));
    assert_eq!(json(&["user", "list"], &data)["users"][0]["name"], "alice");
}

#[test]
fn what_is_mistyped_or_weak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut typist = Typist::start(&ADD, &data);
    typist.answer("New password of alice: ", PASSWORD);
    typist.answer("The same again: ", "correct house battery");
    assert!(!typist.succeeds());
    wait_until("it tells why", || typist.shows("the two passwords differ"));

    let mut typist = Typist::start(&ADD, &data);
    typist.answer("New password of alice: ", "1234567");
    assert!(!typist.succeeds());
    wait_until("it tells why", || typist.shows("at least 8 characters"));
    assert!(!data.exists(), "something was made");
}
