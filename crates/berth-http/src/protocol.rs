use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What every connection over HTTP/2 begins with (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Reads as much of what a client sends first as it takes to tell its protocol, and answers that too: it has to be read
/// again. Whoever ends before that speaks HTTP/1.1, as far as anybody knows.
pub(crate) async fn recognize(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Protocol, Vec<u8>)> {
    let mut begun = Vec::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&begun) {
        let missing = PREFACE.len() - begun.len();
        if missing == 0 {
            return Ok((Protocol::Http2, begun));
        }
        let mut rest = (&mut *stream).take(missing as u64);
        if rest.read_buf(&mut begun).await? == 0 {
            break;
        }
    }
    Ok((Protocol::Http1, begun))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// What is told of a client that sends this and ends, and what is then still to be read. So many bytes are there at once.
    async fn recognized(sent: &[u8], at_once: usize) -> (Protocol, Vec<u8>, Vec<u8>) {
        let (mut client, mut server) = tokio::io::duplex(at_once);
        let sent = sent.to_vec();
        let sending = tokio::spawn(async move { client.write_all(&sent).await });
        let (protocol, begun) = recognize(&mut server).await.unwrap();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        sending.await.unwrap().unwrap();
        (protocol, begun, rest)
    }

    #[tokio::test]
    async fn the_preface_alone_is_http_2() {
        for at_once in [1, 64] {
            let sent = [PREFACE, b"frames"].concat();
            let (protocol, begun, rest) = recognized(&sent, at_once).await;
            assert_eq!(protocol, Protocol::Http2);
            assert_eq!(begun, PREFACE);
            assert_eq!(rest, b"frames");
        }
    }

    #[tokio::test]
    async fn all_else_is_http_1_and_no_byte_is_lost() {
        let cut = &PREFACE[..23];
        let almost = [cut, b"x more"].concat();
        for sent in [
            b"",
            &b"GET /v2/ HTTP/1.1\r\n\r\n"[..],
            b"P",
            b"PUT /v2/",
            cut,
            &almost,
        ] {
            for at_once in [1, 64] {
                let (protocol, begun, rest) = recognized(sent, at_once).await;
                assert_eq!(protocol, Protocol::Http1);
                assert_eq!([begun, rest].concat(), sent);
            }
        }
    }
}
