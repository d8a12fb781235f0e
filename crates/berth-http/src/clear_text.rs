use berth_spec::{ErrorBody, ErrorCode, ErrorEntry};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tracing::debug;

/// Answers a client that speaks HTTP without TLS where only TLS is spoken.
pub(crate) async fn refuse(mut stream: TcpStream) {
    let body = ErrorBody {
        errors: vec![ErrorEntry {
            code: ErrorCode::Unsupported,
            message: "this port speaks TLS: use a URL that begins with https://".to_owned(),
            detail: None,
        }],
    };
    let body = serde_json::to_string(&body).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    match stream.write_all(answer.as_bytes()).await {
        Ok(()) => berth_tls::close(stream).await,
        Err(error) => debug!(%error, "a client without TLS is gone already"),
    }
}
