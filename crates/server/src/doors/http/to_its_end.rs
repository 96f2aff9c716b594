//! Work that goes on when its client hangs up: what changes files also has to be told, and forgotten where it is remembered.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Does the work in a task of its own, and waits for its answer.
pub(super) async fn to_its_end(work: impl Future<Output = Response> + Send + 'static) -> Response {
    // A panic was told where it happened.
    tokio::spawn(work).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_goes_on_when_nobody_waits_for_it() {
        let ((begin, begun), (go_on, goes_on), (end, ended)) =
            (oneshot::channel(), oneshot::channel::<()>(), oneshot::channel());
        let client = tokio::spawn(to_its_end(async move {
            begin.send(()).unwrap();
            goes_on.await.unwrap();
            end.send(()).unwrap();
            StatusCode::OK.into_response()
        }));
        begun.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn what_panics_is_answered() {
        let answer = to_its_end(async { panic!("as a fault of ours") }).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
