use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How long an answer may take, so that a server that hangs does not hang this too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One connection, on which requests go one after the other: no two answers can be mistaken.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to `host:port`.
    pub(super) fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a request such as `PUT /v2/a/manifests/v1`, and answers the `Location` of an answer
    /// that has this status.
    pub(super) fn send(
        &mut self,
        request: &str,
        media_type: &str,
        body: &[u8],
        status: u16,
    ) -> Result<String> {
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: registry\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.stream
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())?;
        let answer = self
            .answer()
            .with_context(|| format!("no answer to {request}"))?;
        let expected = format!("http/1.1 {status} ");
        ensure!(
            answer.starts_with(&expected),
            "{request} was answered with {answer}"
        );
        Ok(header(&answer, "location").unwrap_or_default().to_owned())
    }

    /// The head of the next answer, in lower case, after its body was read too.
    fn answer(&mut self) -> Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = self.stream.read_line(&mut head)?;
            ensure!(length > 0, "the connection was closed after {head:?}");
        }
        let head = head.to_lowercase();
        let length = header(&head, "content-length").unwrap_or("0");
        let mut body = vec![0; length.parse()?];
        self.stream.read_exact(&mut body)?;
        Ok(head)
    }
}

/// The value of a header whose name is in lower case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find(|field| field.0 == name).map(|field| field.1)
}
