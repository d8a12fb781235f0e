//! What the machine can do without a registry.

use std::fs::File;
use std::io::{Read, Write, copy};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use super::content::Content;
use super::options::Scale;
use super::results::Limits;

/// As large as the buffer that the client reads bodies into.
const BUFFER: usize = 256 << 10;

/// Measures the limits, with files in this folder.
pub(super) fn measure(folder: &Path, scale: &Scale) -> Result<Limits> {
    let mut limits = Limits::default();
    let path = folder.join("limit");
    let mut content = Content::new(0, scale.blob);
    for _ in 0..scale.rounds {
        let started = Instant::now();
        content.digest();
        limits.sha256.push(rate(scale.blob, started));
        limits.disk.push(write(&path, &mut content)?);
        limits.loopback.push(send(&path)?);
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

fn send(path: &Path) -> Result<f64> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let started = Instant::now();
    let sender = thread::spawn(move || -> std::io::Result<u64> {
        let (mut stream, _) = listener.accept()?;
        // From a file to a socket, this is `sendfile`.
        copy(&mut file, &mut stream)
    });
    let mut stream = TcpStream::connect(address)?;
    let mut buffer = vec![0; BUFFER];
    while stream.read(&mut buffer)? > 0 {}
    let sent = sender.join().map_err(|_| anyhow!("the sender failed"))??;
    anyhow::ensure!(sent == size, "only {sent} of {size} bytes were sent");
    Ok(rate(size, started))
}
