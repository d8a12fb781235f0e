use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::Berth;

/// A connection on which a test writes what no well-behaved client would.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(berth: &Berth) -> Self {
        let stream = TcpStream::connect(&berth.address).unwrap();
        // Only so that a test that fails does not hang.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Writes, and does not mind if the server has closed the connection.
    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// A request line and headers; ends the head.
    pub(crate) fn head(&mut self, request: &str, headers: &[(&str, &str)]) {
        let mut head = format!("{request} HTTP/1.1\r\nHost: registry\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.write(head + "\r\n");
    }

    /// The status and the text of the next answer, which must have a length.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let (status, body) = self.answer_bytes();
        (status, String::from_utf8(body).unwrap())
    }

    /// The status and the body of the next answer, which must have a length.
    pub(crate) fn answer_bytes(&mut self) -> (u16, Vec<u8>) {
        let (status, headers) = self.answer_head();
        let length = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
        self.stream.read_exact(&mut body).unwrap();
        (status, body)
    }

    /// The status and the headers, in lower case, of the next answer.
    pub(crate) fn answer_head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = self.stream.read_line(&mut head).unwrap();
            assert!(length > 0, "the connection was closed after {head:?}");
        }
        let head = head.to_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Whether the server closes the connection without saying anything more.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// All that comes until the server closes the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Reads so many bytes and forgets them.
    pub(crate) fn skip(&mut self, bytes: usize) {
        let mut wanted = self.stream.by_ref().take(bytes as u64);
        let skipped = std::io::copy(&mut wanted, &mut std::io::sink()).unwrap();
        assert_eq!(skipped, bytes as u64);
    }

    /// How many bytes come until the server closes the connection.
    pub(crate) fn rest_length(&mut self) -> usize {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        rest.len()
    }
}
