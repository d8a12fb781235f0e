/// What follows the head of a request.
pub(crate) enum Body<'a> {
    /// Nothing, and nothing is said about it.
    None,
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many bytes, which the caller writes.
    Length(u64),
    /// Chunks, which the caller writes.
    Chunked,
}

/// A request as it goes over the wire. It can be sent more than once.
pub(crate) struct Request {
    pub(super) wire: Vec<u8>,
    pub(super) is_head: bool,
}

impl Request {
    pub(crate) fn new(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Body<'_>,
    ) -> Self {
        // All registries hear the same host, wherever they listen.
        Self::to("localhost", method, target, headers, body)
    }

    /// A request that this host hears as its own.
    fn to(
        host: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &Body<'_>,
    ) -> Self {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match body {
            Body::None => {}
            Body::Bytes(bytes) => head.push_str(&format!("Content-Length: {}\r\n", bytes.len())),
            Body::Length(length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Body::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        head.push_str("\r\n");
        let mut wire = head.into_bytes();
        if let Body::Bytes(bytes) = body {
            wire.extend_from_slice(bytes);
        }
        Self {
            wire,
            is_head: method == "HEAD",
        }
    }

    /// A GET without more.
    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target, &[], &Body::None)
    }

    /// A GET of a whole `http` URL; `None` if it is none.
    pub(crate) fn get_url(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, target) = rest.split_at(rest.find('/')?);
        Some(Self::to(host, "GET", target, &[], &Body::None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_follows() {
        let text = |body| {
            let request = Request::new("PUT", "/v2/a", &[("Accept", "b")], &body);
            String::from_utf8(request.wire).unwrap()
        };
        let head = "PUT /v2/a HTTP/1.1\r\nHost: localhost\r\nAccept: b\r\n";
        assert_eq!(text(Body::None), format!("{head}\r\n"));
        assert_eq!(
            text(Body::Bytes(b"xyz")),
            format!("{head}Content-Length: 3\r\n\r\nxyz")
        );
        assert_eq!(
            text(Body::Length(9)),
            format!("{head}Content-Length: 9\r\n\r\n")
        );
        assert_eq!(
            text(Body::Chunked),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n")
        );
    }

    #[test]
    fn a_url_is_asked_for_at_its_host() {
        let request = Request::get_url("http://127.0.0.1:80/a/b?c=d").unwrap();
        let text = String::from_utf8(request.wire).unwrap();
        assert_eq!(text, "GET /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
        assert!(Request::get_url("https://127.0.0.1/a").is_none());
        assert!(Request::get_url("http://127.0.0.1").is_none());
    }
}
