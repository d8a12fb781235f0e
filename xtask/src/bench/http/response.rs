use anyhow::{Context, Result, bail};

/// More headers than any registry sends.
const MOST_HEADERS: usize = 64;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// How many bytes the head takes.
    pub(super) length: usize,
    pub(super) status: u16,
    pub(super) framing: Framing,
    pub(super) location: Option<String>,
}

impl Head {
    /// Reads a head, or nothing when it is not whole yet.
    pub(super) fn parse(bytes: &[u8], is_answer_to_head: bool) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else {
            return Ok(None);
        };
        let status = response.code.context("a response has no status")?;
        let has_no_body = is_answer_to_head || matches!(status, 100..200 | 204 | 304);
        let framing = if has_no_body {
            Framing::Length(0)
        } else {
            framing(response.headers)?
        };
        Ok(Some(Self {
            length,
            status,
            framing,
            location: header(response.headers, "location")?.map(str::to_owned),
        }))
    }
}

fn framing(headers: &[httparse::Header<'_>]) -> Result<Framing> {
    if let Some(encoding) = header(headers, "transfer-encoding")? {
        if !encoding.eq_ignore_ascii_case("chunked") {
            bail!("a response is encoded as {encoding}");
        }
        return Ok(Framing::Chunked);
    }
    let length = header(headers, "content-length")?
        .context("a response says neither its length nor that it is chunked")?;
    Ok(Framing::Length(length.parse()?))
}

fn header<'a>(headers: &[httparse::Header<'a>], name: &str) -> Result<Option<&'a str>> {
    let found = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name));
    Ok(found
        .map(|header| std::str::from_utf8(header.value))
        .transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, is_answer_to_head: bool) -> Result<Option<Head>> {
        Head::parse(text.as_bytes(), is_answer_to_head)
    }

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text =
            "HTTP/1.1 202 Accepted\r\nLOCATION: /v2/a?_state=b\r\ncontent-length: 12\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse(&text[..cut], false).unwrap(), None);
        }
        let head = parse(text, false).unwrap().unwrap();
        assert_eq!(
            head,
            Head {
                length: text.len() - 4,
                status: 202,
                framing: Framing::Length(12),
                location: Some("/v2/a?_state=b".to_owned()),
            }
        );
    }

    #[test]
    fn the_framing_depends_on_request_and_status() {
        let framing = |text: &str, is_head| parse(text, is_head).unwrap().unwrap().framing;
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(framing(chunked, false), Framing::Chunked);
        assert_eq!(framing(chunked, true), Framing::Length(0));
        let empty = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(framing(empty, false), Framing::Length(0));
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert!(parse("HTTP/1.1 200 OK\r\n\r\n", false).is_err());
        assert!(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false).is_err());
        assert!(parse("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false).is_err());
        assert!(parse("SSH-2.0-OpenSSH\r\n\r\n", false).is_err());
    }
}
