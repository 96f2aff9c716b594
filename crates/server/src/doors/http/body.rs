//! Bodies that are read whole: bounded in length and in time, with a status for each way in which they can fail.
//! Uploads are not read so.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;

/// How long a body may take to come. What is read whole is small: a form, an order, a few messages.
const BODY_MAX: Duration = Duration::from_secs(5);

/// The whole body.
///
/// # Errors
/// 413 for one that is longer than `bytes_max`, 408 for one that does not come, 400 for one that is none.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_MAX, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // What is wrong with what hyper reads; otherwise there is too much of it.
        Ok(Err(error)) if source::<hyper::Error>(&error).is_some() => Err(StatusCode::BAD_REQUEST),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Whether a body has failed for what stands in it (RFC 9112, 7.1), and not because no more of it came.
pub(super) fn is_malformed(error: &axum::Error) -> bool {
    let of_input = [io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData];
    source::<io::Error>(error).is_some_and(|error| of_input.contains(&error.kind()))
}

/// The first error of that type behind `error`.
fn source<E: Error + 'static>(error: &axum::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
