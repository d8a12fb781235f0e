//! Over real sockets, with real files.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use berth_sendfile::{SendfileStream, is_cached, load};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LENGTH: usize = 5_000_000;

fn content() -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(31) ^ (index >> 8)).to_le_bytes()[0];
    (0..LENGTH).map(byte).collect()
}

/// A file that is kept by its folder.
fn file() -> (TempDir, Arc<File>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content()).unwrap();
    (folder, Arc::new(File::open(path).unwrap()))
}

/// A stream, and what the other side will have received at its end.
async fn connected() -> (SendfileStream, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let received = tokio::spawn(async move {
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        received
    });
    (SendfileStream::new(server), received)
}

#[tokio::test]
async fn any_range_arrives_as_it_is_in_the_file() {
    let (_folder, file) = file();
    let ranges: [Range<usize>; 7] = [
        0..0,
        0..1,
        4095..4097,
        1..LENGTH,
        LENGTH - 1..LENGTH,
        1_000_000..3_000_001,
        0..LENGTH,
    ];
    for range in ranges {
        let (mut stream, received) = connected().await;
        let part = range.start as u64..range.end as u64;
        let mut bytes = stream.maps().map(Arc::clone(&file), part).unwrap();
        assert_eq!(bytes.len(), range.len());
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(700_000));
            stream.write_all(&piece).await.unwrap();
        }
        drop(stream);
        assert!(
            received.await.unwrap() == content()[range.clone()],
            "{range:?}"
        );
    }
}

#[tokio::test]
async fn memory_and_files_keep_their_order() {
    let (_folder, file) = file();
    let (mut stream, received) = connected().await;
    let maps = stream.maps();
    let first = maps.map(Arc::clone(&file), 0..3_000_000).unwrap();
    let second = maps.map(file, 2_000_000..2_000_010).unwrap();
    let parts = [
        Bytes::from_static(b"head, "),
        Bytes::from_static(b"more, "),
        first,
        Bytes::from_static(b"between, "),
        second,
        Bytes::from_static(b"end"),
    ];
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let written = stream.write_vectored(rest).await.unwrap();
        assert!(written > 0);
        IoSlice::advance_slices(&mut rest, written);
    }
    drop(stream);
    let content = content();
    let expected = [
        b"head, more, ",
        &content[..3_000_000],
        b"between, ",
        &content[2_000_000..2_000_010],
        b"end",
    ];
    assert!(received.await.unwrap() == expected.concat());
}

/// Also shows that the memory is not touched: that would end the process.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_was_cut_short_is_an_error() {
    let (folder, file) = file();
    let (mut stream, received) = connected().await;
    let bytes = stream.maps().map(file, 0..LENGTH as u64).unwrap();
    let writable = File::options()
        .write(true)
        .open(folder.path().join("file"))
        .unwrap();
    writable.set_len(1000).unwrap();
    let error = stream.write_all(&bytes).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    drop(stream);
    assert!(received.await.unwrap() == content()[..1000]);
}

#[tokio::test]
async fn a_range_must_be_in_the_file() {
    let (_folder, file) = file();
    let (stream, _) = connected().await;
    let beyond = stream.maps().map(file, 0..LENGTH as u64 + 1);
    assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

/// Has the kernel forget what it holds of a file.
#[cfg(target_os = "linux")]
fn evict(file: &File) {
    file.sync_all().unwrap();
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn what_only_the_disk_has_is_not_cached() {
    // A temporary folder may be memory, which forgets nothing: this one is where builds go.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content()).unwrap();
    let file = File::open(&path).unwrap();
    evict(&file);
    assert_eq!(is_cached(&file, 0..LENGTH as u64), Some(false));
    load(&file, 0..LENGTH as u64).unwrap();
    assert_eq!(is_cached(&file, 0..LENGTH as u64), Some(true));
}

#[test]
fn what_was_loaded_is_cached() {
    let (_folder, file) = file();
    load(&file, 0..LENGTH as u64).unwrap();
    let there = cfg!(target_os = "linux").then_some(true);
    assert_eq!(is_cached(&file, 0..LENGTH as u64), there);
    assert_eq!(is_cached(&file, 7..7), there);
    let beyond = load(&file, 0..LENGTH as u64 + 1);
    assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_ne!(is_cached(&file, 0..LENGTH as u64 + 1), Some(true));
}
