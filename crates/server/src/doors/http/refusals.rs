//! A refusal of the films as an answer: what each kind is called in HTTP.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use headwater_vod::{Refusal, RefusalKind};

/// A refusal as an answer: its status and its sentence.
pub(super) fn refused(refusal: &Refusal) -> Response {
    (status(refusal.kind), format!("{refusal}\n")).into_response()
}

/// What a kind of refusal is called in HTTP.
pub(super) const fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::NoMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        RefusalKind::Damaged => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Taken | RefusalKind::Growing | RefusalKind::Offset(_) => StatusCode::CONFLICT,
        RefusalKind::TakenSince => StatusCode::PRECONDITION_FAILED,
        RefusalKind::Cut(_) => StatusCode::REQUEST_TIMEOUT,
        RefusalKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        RefusalKind::Full => StatusCode::INSUFFICIENT_STORAGE,
        RefusalKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
