use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::FileMaps;
use crate::map::Origin;

/// How much is read at once where there is no `sendfile`.
const READ_BYTES: usize = 64 * 1024;

/// A TCP stream that sends slices of its [`FileMaps`] by `sendfile`, without touching their memory.
#[derive(Debug)]
pub struct SendfileStream {
    stream: TcpStream,
    maps: FileMaps,
}

impl SendfileStream {
    /// Sends over this stream.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            maps: FileMaps::default(),
        }
    }

    /// Where files to be sent are mapped.
    pub fn maps(&self) -> FileMaps {
        self.maps.clone()
    }

    fn poll_send(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        origin: &Origin,
        slice: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            let send = || send_file(&self.stream, origin, slice.len());
            match self.stream.try_io(Interest::WRITABLE, send) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Err(error) if must_wait(&error) => {}
                Err(error) if is_not_for_files(&error) => {
                    let piece = read(origin, slice.len())?;
                    return Pin::new(&mut self.stream).poll_write(context, &piece);
                }
                sent => return Poll::Ready(sent),
            }
        }
    }
}

fn must_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// The first bytes of a slice, from the file and not from its memory: an error of the disk is an error
/// then, and not the end of the process.
fn read(origin: &Origin, length: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; length.min(READ_BYTES)];
    origin.file.read_exact_at(&mut piece, origin.offset)?;
    Ok(piece)
}

/// Whether this is how a file system says that it has no `sendfile`.
fn is_not_for_files(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

#[cfg(target_os = "linux")]
fn send_file(stream: &TcpStream, origin: &Origin, length: usize) -> io::Result<usize> {
    let mut offset = origin.offset;
    Ok(rustix::fs::sendfile(
        stream,
        &*origin.file,
        Some(&mut offset),
        length,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn send_file(_stream: &TcpStream, _origin: &Origin, _length: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

impl AsyncRead for SendfileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for SendfileStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.maps.origin(bytes) {
            Some(origin) => self.poll_send(context, &origin, bytes),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    /// Writes what comes before the first mapped slice; or, where that is the first, the file.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mapped = slices
            .iter()
            .enumerate()
            .find_map(|(index, slice)| Some((index, self.maps.origin(slice)?)));
        match mapped {
            Some((0, origin)) => self.poll_send(context, &origin, &slices[0]),
            Some((before, _)) => {
                Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..before])
            }
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
