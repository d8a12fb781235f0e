use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::Buf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::chunked::Chunked;
use super::request::Request;
use super::response::{Framing, Head};

/// Bodies are read into a buffer of this size, again and again.
const BUFFER: usize = 256 << 10;

/// How large the pieces of a body are that is sent in chunks: what clients written in Go send.
const CHUNK: usize = 32 << 10;

/// What a registry answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    /// The size of the body, which is thrown away: what is measured is that it came.
    pub(crate) length: u64,
}

/// A connection that is kept open from one request to the next.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// The part of the buffer that is read and not yet dealt with.
    start: usize,
    end: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
        })
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Answer> {
        self.begin(request).await?;
        self.finish(request.is_head).await
    }

    /// Sends a request whose body [`Self::write`] or [`Self::write_chunks`] goes on with.
    pub(crate) async fn begin(&mut self, request: &Request) -> Result<()> {
        self.write(&request.wire).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream
            .write_all(bytes)
            .await
            .context("the registry takes no more of a request")
    }

    /// Writes bytes as chunks of a body.
    pub(crate) async fn write_chunks(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(CHUNK) {
            let size = format!("{:x}\r\n", piece.len());
            let mut chunk = Buf::chain(size.as_bytes(), piece).chain(&b"\r\n"[..]);
            self.stream.write_all_buf(&mut chunk).await?;
        }
        Ok(())
    }

    /// Ends a body of chunks.
    pub(crate) async fn end_chunks(&mut self) -> Result<()> {
        self.write(b"0\r\n\r\n").await
    }

    /// Reads the answer to a request whose body was written in parts.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        self.finish(false).await
    }

    async fn finish(&mut self, is_head: bool) -> Result<Answer> {
        let head = self.head(is_head).await?;
        let length = match head.framing {
            Framing::Length(length) => self.body(length).await?,
            Framing::Chunked => self.chunked().await?,
        };
        Ok(Answer {
            status: head.status,
            location: head.location,
            length,
        })
    }

    /// Reads the head of the final response.
    async fn head(&mut self, is_head: bool) -> Result<Head> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            match Head::parse(unread, is_head)? {
                None => self.read_more().await?,
                Some(head) => {
                    self.start += head.length;
                    if head.status >= 200 {
                        return Ok(head);
                    }
                }
            }
        }
    }

    async fn body(&mut self, length: u64) -> Result<u64> {
        let mut left = length;
        while left > 0 {
            if self.start == self.end {
                self.read_more().await?;
            }
            let unread = self.end - self.start;
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(unread);
            self.start += here;
            left -= here as u64;
        }
        Ok(length)
    }

    async fn chunked(&mut self) -> Result<u64> {
        let mut chunked = Chunked::new();
        let mut length = 0;
        while !chunked.is_done() {
            let step = chunked.step(&self.buffer[self.start..self.end])?;
            length += step.content.len() as u64;
            self.start += step.consumed;
            if step.consumed == 0 {
                self.read_more().await?;
            }
        }
        Ok(length)
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = &mut self.buffer[self.end..];
        ensure!(!room.is_empty(), "the head of a response is too long");
        let read = self.stream.read(room).await?;
        if read == 0 {
            bail!("the registry closed the connection before it had answered");
        }
        self.end += read;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::request::Body;
    use super::*;

    /// A server of one connection that reads `request` bytes and then answers with these pieces.
    fn serve(request: usize, pieces: &'static [&'static [u8]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut vec![0; request]).unwrap();
            for piece in pieces {
                stream.write_all(piece).unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn answers_are_told_apart_on_one_connection() {
        let request = Request::new("POST", "/", &[], &Body::Bytes(b"body"));
        let address = serve(
            request.wire.len(),
            &[
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-",
                b"Length: 5\r\n\r\nhello",
                b"HTTP/1.1 202 Accepted\r\nLocation: /a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                b"1\r\nc\r\n0\r\n\r\n",
            ],
        );
        let mut connection = Connection::open(address).await.unwrap();
        let first = connection.send(&request).await.unwrap();
        assert_eq!((first.status, first.length), (200, 5));
        let second = connection.answer().await.unwrap();
        assert_eq!((second.status, second.length), (202, 3));
        assert_eq!(second.location.as_deref(), Some("/a"));
        assert!(connection.answer().await.is_err());
    }
}
