//! The order in which the real binary makes things durable, proved from its system calls: bytes,
//! name, record, and only then the answer. No test that only kills the process can see a sync that
//! is missing, since what was written survives that anyway.

mod calls;
mod client;
mod lines;
mod order;
mod promises;
mod pushes;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{command, output};
use crate::server::{Build, Server};
use crate::tools;

/// The system calls that are looked at. A `?` stands before one that not every processor has.
const TRACED: &str = "trace=openat,?mkdir,mkdirat,?link,linkat,?rename,?renameat,renameat2,?unlink,unlinkat,\
    fsync,fdatasync,write,pwrite64,writev,sendto,sendmsg";

/// How long the server may take to end, and strace with it.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Pushes to the real binary under strace, and proves from the trace that everything was durable
/// when it was answered.
pub(crate) fn run(build: Build) -> Result<()> {
    tools::install_package("strace")?;
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace");
    let server = Server::start_under(&strace(&trace), build, &[])?;
    let data = server.data().canonicalize()?;
    let requests = pushes::push(&server.address, &data)?;
    let trace = stop(&server, &trace)?;
    let calls = lines::calls(&trace);
    let mut faults = promises::of_a_new_folder(&calls, &data);
    faults.extend(promises::of_requests(&calls, &data, &requests));
    if !faults.is_empty() {
        let faults = faults.join("\n- ");
        // Everything is in this folder: what is read need not repeat it.
        let faults = faults.replace(&format!("{}/", data.display()), "");
        bail!("not everything was durable when it was answered:\n- {faults}");
    }
    println!(
        "sync order: {} requests kept their promises, in {} system calls",
        requests.len(),
        calls.len()
    );
    Ok(())
}

/// What to put before a command so that its calls are traced. It stays our child (`-D`), so that it
/// is stopped as any server, and descriptors come with paths (`-y`).
fn strace(trace: &Path) -> Vec<String> {
    let trace = trace.to_string_lossy();
    let words = ["strace", "-D", "-f", "-y", "-e", TRACED, "-o", &trace, "--"];
    words.map(str::to_owned).to_vec()
}

/// Ends the server, and reads the trace when that is whole. To kill the server could break off the
/// very call that sends the last answer.
fn stop(server: &Server, trace: &Path) -> Result<String> {
    let id = server.id();
    output(&mut command("sh", &["-c", &format!("kill -TERM {id}")]))?;
    let started = Instant::now();
    while started.elapsed() < END_TIMEOUT {
        let text = fs::read_to_string(trace).context("strace left no trace")?;
        if lines::has_end_of(id, &text) {
            return Ok(text);
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("the trace did not end in {} s", END_TIMEOUT.as_secs())
}
