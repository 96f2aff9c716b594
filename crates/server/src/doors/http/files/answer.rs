//! The answer to a request for a body that is known in full: preconditions, ranges, and the fields that tell players
//! what they get.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::body::{PlanBody, SendPath};
use super::plan::{Piece, Plan};
use super::range::RequestedRange;
use crate::doors::http::preconditions::{Evaluation, Validators};

macro_rules! boundary {
    () => {
        "headwater-part-5f2d1c7ab3e84096"
    };
}
/// What stands between the parts of an answer with several ranges. Not a secret: clients count bytes.
const BOUNDARY: &str = boundary!();
/// The type of such an answer.
const SEVERAL: &str = concat!("multipart/byteranges; boundary=", boundary!());
/// Fields that scripts of other origins may read beside those that they always may.
const EXPOSED: &str =
    "Accept-Ranges, Content-Range, Content-Length, ETag, Last-Modified, Content-Disposition";
/// Fields of an answer, about.
const FIELDS: usize = 10;
/// What of them is written anew for each answer, about: an entity tag, a date and a range.
const TEXT_BYTES: usize = 192;
/// What stands for itself in the extended form of a file name (RFC 8187).
const ATTRIBUTE: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A representation (RFC 9110, 3.2): a body that can be asked for, whole or in parts, and what describes it.
#[derive(Debug)]
pub(in crate::doors::http) struct Representation {
    pub(in crate::doors::http) plan: Plan,
    pub(in crate::doors::http) content_type: &'static str,
    pub(in crate::doors::http) validators: Validators,
    /// The name to save it under, if it is to be saved and not shown.
    pub(in crate::doors::http) download: Option<String>,
    /// Whether who gets it may have paused: then it may read nothing for as long as a film's viewer.
    pub(in crate::doors::http) may_pause: bool,
}

/// Answers `GET` and `HEAD`.
pub(super) fn answer(
    method: &Method,
    headers: &HeaderMap,
    representation: Representation,
    path: SendPath,
) -> Response {
    // What is written for this answer alone.
    let mut texts = BytesMut::with_capacity(TEXT_BYTES);
    let mut response = match representation.validators.evaluate(headers) {
        Evaluation::Failed => StatusCode::PRECONDITION_FAILED.into_response(),
        Evaluation::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Evaluation::Proceed => match requested_range(method, headers, &representation) {
            RequestedRange::Nothing => not_satisfiable(representation.plan.len(), &mut texts),
            RequestedRange::Whole => {
                send(method, StatusCode::OK, representation.content_type, representation.plan.clone(), path)
            }
            RequestedRange::Parts(parts) => send_parts(method, &representation, &parts, path, &mut texts),
        },
    };
    describe(&mut response, &representation, &mut texts);
    response
}

/// Ranges are for `GET` only (RFC 9110, 14.2).
fn requested_range(method: &Method, headers: &HeaderMap, representation: &Representation) -> RequestedRange {
    match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(value)
            if *method == Method::GET
                && representation.validators.allows_range(headers, SystemTime::now()) =>
        {
            RequestedRange::read(value, representation.plan.len())
        }
        _ => RequestedRange::Whole,
    }
}

fn send_parts(
    method: &Method,
    representation: &Representation,
    parts: &[Range<u64>],
    path: SendPath,
    texts: &mut BytesMut,
) -> Response {
    let len = representation.plan.len();
    if let [part] = parts {
        let plan = representation.plan.slice(part.clone());
        let mut response = send(method, StatusCode::PARTIAL_CONTENT, representation.content_type, plan, path);
        set(&mut response, header::CONTENT_RANGE, content_range(part, len), texts);
        return response;
    }
    let mut plan = Plan::default();
    for part in parts {
        let head = format!(
            "\r\n--{BOUNDARY}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
            representation.content_type,
            content_range(part, len)
        );
        plan.push(Piece::Bytes(Bytes::from(head)));
        plan.extend(representation.plan.slice(part.clone()));
    }
    plan.push(Piece::Bytes(Bytes::from(format!("\r\n--{BOUNDARY}--\r\n"))));
    send(method, StatusCode::PARTIAL_CONTENT, SEVERAL, plan, path)
}

fn content_range(part: &Range<u64>, len: u64) -> impl fmt::Display {
    let (first, last) = (part.start, part.end.saturating_sub(1));
    fmt::from_fn(move |f| write!(f, "bytes {first}-{last}/{len}"))
}

fn not_satisfiable(len: u64, texts: &mut BytesMut) -> Response {
    let text = format!("there are {len} bytes, and none of them in the range\n");
    let mut response = (StatusCode::RANGE_NOT_SATISFIABLE, text).into_response();
    set(&mut response, header::CONTENT_RANGE, format_args!("bytes */{len}"), texts);
    response
}

fn send(
    method: &Method,
    status: StatusCode,
    content_type: &'static str,
    plan: Plan,
    path: SendPath,
) -> Response {
    let len = plan.len();
    let body = if *method == Method::HEAD { Body::empty() } else { Body::new(PlanBody::new(plan, path)) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    response
}

/// What holds for the whole, whatever of it is sent.
fn describe(response: &mut Response, representation: &Representation, texts: &mut BytesMut) {
    let always = [
        (header::ACCEPT_RANGES, "bytes"),
        // Kept, and asked for again each time: a file may be replaced under its name, and 304 is short.
        (header::CACHE_CONTROL, "no-cache"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
    ];
    for (name, value) in always {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    set(response, header::ETAG, &representation.validators.etag, texts);
    set(response, header::LAST_MODIFIED, representation.validators.last_modified(), texts);
    if let Some(name) = &representation.download {
        set(response, header::CONTENT_DISPOSITION, attachment(name), texts);
    }
}

/// `Content-Disposition` with the name in both forms (RFC 6266): plain for old clients, and as UTF-8.
fn attachment(name: &str) -> String {
    let is_plain =
        |letter: char| letter.is_ascii() && !letter.is_ascii_control() && !"\"\\%".contains(letter);
    let plain: String = name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        let _ = write!(value, "; filename*=UTF-8''{}", utf8_percent_encode(name, &ATTRIBUTE));
    }
    value
}

/// Sets a field to what is written behind `texts`, so that they share their memory; a value that no field can carry is left
/// out.
fn set(response: &mut Response, name: HeaderName, value: impl fmt::Display, texts: &mut BytesMut) {
    let written = write!(texts, "{value}");
    let value = HeaderValue::from_maybe_shared(texts.split().freeze());
    if let (Ok(()), Ok(value)) = (written, value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_said_in_a_form_that_every_client_reads() {
        assert_eq!(attachment("film.mp4"), "attachment; filename=\"film.mp4\"");
        let value = attachment("für \"dich\".mp4");
        assert_eq!(
            value,
            "attachment; filename=\"f_r _dich_.mp4\"; filename*=UTF-8''f%C3%BCr%20%22dich%22.mp4"
        );
    }
}
