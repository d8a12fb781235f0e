use tokio::task::spawn_blocking;

use crate::TransferError;

/// Runs work that blocks where it blocks nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TransferError> {
    spawn_blocking(work)
        .await
        .map_err(|_| TransferError::Interrupted)
}
