use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the last words may be on their way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much of what the client still sends is read and forgotten.
const MOST_READ: u64 = 256 * 1024;

/// Closes a connection so that what was sent last arrives: a system that closes one while bytes of the
/// client are unread makes the client forget what it was told. Takes at most a second.
pub async fn close(mut stream: TcpStream) {
    // If that fails, the client is gone and there is nothing to wait for.
    if stream.shutdown().await.is_ok() {
        let mut rest = stream.take(MOST_READ);
        let _ = timeout(PATIENCE, copy(&mut rest, &mut sink())).await;
    }
}
