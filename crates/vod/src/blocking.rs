//! The one way to what waits for a disk, or takes long.

use tokio::task::{JoinError, spawn_blocking};

/// Does what may wait for a disk, or takes long, on a thread that may wait. It goes on to its end even if
/// nobody waits for it any more.
///
/// # Errors
/// Those of `work`; and if it panics, or the server stops before it has begun, what a [`JoinError`] becomes.
pub async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JoinError> + Send + 'static,
{
    spawn_blocking(work).await?
}
