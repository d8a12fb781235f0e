use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long a message before authentication may be, in bytes. libpq takes no more.
const LONGEST: usize = 30_000;

/// The message that asks for a version of the protocol that the server has. After it comes another one.
const VERSION: u8 = b'v';

/// The message that asks for authentication, and what its body begins with if that is by SASL.
const AUTHENTICATION: u8 = b'R';
const BY_SASL: [u8; 4] = [0, 0, 0, 10];

/// The end of the names of ways to log in that are bound to the channel of TLS.
const BOUND: &[u8] = b"-PLUS";

/// Passes on what a server says first, without its offer to log in bound to TLS: libpq knows nothing of TLS here, and takes the offer for a
/// sign that somebody on the way has removed it.
pub(super) async fn pass_on(
    server: &mut (impl AsyncRead + Unpin),
    client: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    loop {
        let kind = server.read_u8().await?;
        let length = server.read_u32().await? as usize;
        let length = length.checked_sub(size_of::<u32>());
        let length = length.filter(|length| *length <= LONGEST);
        let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        server.read_exact(&mut body).await?;
        if kind == AUTHENTICATION {
            body = without_bound(body);
        }
        let length = u32::try_from(body.len() + size_of::<u32>());
        client.write_u8(kind).await?;
        client
            .write_u32(length.map_err(|_| io::ErrorKind::InvalidData)?)
            .await?;
        client.write_all(&body).await?;
        if kind != VERSION {
            return Ok(());
        }
    }
}

/// The names of ways to log in are a list of texts, each with a NUL behind it, and one more at the end.
fn without_bound(body: Vec<u8>) -> Vec<u8> {
    let Some(ways) = body.strip_prefix(&BY_SASL) else {
        return body;
    };
    let ways = ways.split(|byte| *byte == 0);
    let mut kept = BY_SASL.to_vec();
    for way in ways.filter(|way| !way.is_empty() && !way.ends_with(BOUND)) {
        kept.extend_from_slice(way);
        kept.push(0);
    }
    kept.push(0);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(said: &[u8]) -> io::Result<Vec<u8>> {
        let mut heard = Vec::new();
        pass_on(&mut &*said, &mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn what_is_bound_to_tls_is_not_offered() {
        let said = b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let heard = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        assert_eq!(passed(said).await.unwrap(), heard);
        // Other ways, and errors, stay as they are; and what comes first is passed on too.
        for same in [
            &b"R\0\0\0\x08\0\0\0\x03"[..],
            b"E\0\0\0\x05\0",
            b"v\0\0\0\x05\0R\0\0\0\x08\0\0\0\x00",
        ] {
            assert_eq!(passed(same).await.unwrap(), same);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_not_passed_on() {
        for strange in [&b""[..], b"R\0\0\0\x03", b"R\x7f\0\0\0", b"R\0\0\0\x08\0"] {
            assert!(passed(strange).await.is_err());
        }
    }
}
