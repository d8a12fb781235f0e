//! What the machine can do without a registry.

use std::fs::File;
use std::io::{Read, Write, copy};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;

use super::content::Content;
use super::http::Request;
use super::load::open;
use super::options::Scale;
use super::results::Limits;

/// How many connections there are when there are many: as many as a pull has.
const MANY: usize = 16;

/// Measures the limits, with a file in this folder.
pub(super) async fn measure(folder: &Path, scale: &Scale) -> Result<Limits> {
    let mut limits = Limits::default();
    let path = folder.join("limit");
    let mut content = Content::new(0, scale.blob);
    for _ in 0..scale.rounds {
        let started = Instant::now();
        content.digest();
        limits.sha256.push(rate(scale.blob, started));
        limits.disk.push(write(&path, &mut content)?);
        limits.loopback.push(send(&path, 1).await?);
        limits.loopback_many.push(send(&path, MANY).await?);
    }
    std::fs::remove_file(&path)?;
    Ok(limits)
}

/// MB/s since then.
fn rate(size: u64, started: Instant) -> f64 {
    size as f64 / 1e6 / started.elapsed().as_secs_f64()
}

fn write(path: &Path, content: &mut Content) -> Result<f64> {
    let started = Instant::now();
    let mut file = File::create(path)?;
    for number in 0..content.blocks() {
        file.write_all(content.block(number))?;
    }
    file.sync_all()?;
    Ok(rate(content.size(), started))
}

/// The bench's own client pulls a file from the least server that there can be.
async fn send(path: &Path, connections: usize) -> Result<f64> {
    let size = path.metadata()?.len();
    let address = serve(path, connections)?;
    let mut connections = open(address, connections).await?;
    let request = Request::get("/");
    let started = Instant::now();
    let pulls = connections
        .iter_mut()
        .map(|connection| connection.send(&request));
    let answers = try_join_all(pulls).await?;
    let pulled: u64 = answers.iter().map(|answer| answer.length).sum();
    ensure!(pulled == size * answers.len() as u64, "a file was cut off");
    Ok(rate(pulled, started))
}

/// Answers one request on each of so many connections with a file, each on its own thread.
fn serve(path: &Path, connections: usize) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    for _ in 0..connections {
        let (listener, mut file) = (listener.try_clone()?, File::open(path)?);
        thread::spawn(move || -> std::io::Result<u64> {
            let (mut stream, _) = listener.accept()?;
            let size = file.metadata()?.len();
            // The request is short enough to come in one piece.
            let _ = stream.read(&mut [0; 1024])?;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
            // From a file to a socket, this is `sendfile`.
            copy(&mut file, &mut stream)
        });
    }
    Ok(address)
}
