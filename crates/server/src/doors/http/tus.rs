//! The resumable uploads of <https://tus.io>, version 1.0, as far as a request's head goes: the core protocol with the
//! extensions creation, termination and expiration. Who sends no `Tus-Resumable` speaks the same protocol without its
//! ceremony (`curl`).

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use headwater_vod::uploads::Order;

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const VERSION: HeaderName = HeaderName::from_static("tus-version");
const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const LARGEST: HeaderName = HeaderName::from_static("tus-max-size");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// With it, `POST` stands for a method that something on the way does not pass.
pub(super) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// What bytes of an upload are called.
pub(super) const BYTES: &str = "application/offset+octet-stream";

const ONE: &str = "1.0.0";
/// Where an upload goes that names no app.
const DEFAULT_APP: &str = "vod";

/// Whether a client speaks tus.
pub(super) fn is_spoken(headers: &HeaderMap) -> bool {
    headers.contains_key(&RESUMABLE)
}

/// The answer to who speaks another version than ours: which ours is.
pub(super) fn refuse_version(headers: &HeaderMap) -> Option<Response> {
    let said = headers.get(&RESUMABLE)?;
    let why = "this server speaks tus 1.0.0\n";
    let refused = (StatusCode::PRECONDITION_FAILED, [(RESUMABLE, ONE), (VERSION, ONE)], why);
    (said.as_bytes() != ONE.as_bytes()).then(|| refused.into_response())
}

/// What this server can, for whoever asks before it begins.
pub(super) fn options(bytes_max: u64) -> Response {
    let can = [
        (RESUMABLE, ONE.to_owned()),
        (VERSION, ONE.to_owned()),
        (EXTENSION, "creation,termination,expiration".to_owned()),
        (LARGEST, bytes_max.to_string()),
    ];
    (StatusCode::NO_CONTENT, can).into_response()
}

/// Marks an answer as one of this protocol.
pub(super) fn mark(mut response: Response) -> Response {
    response.headers_mut().insert(RESUMABLE, HeaderValue::from_static(ONE));
    response
}

/// Says until when an upload is kept.
pub(super) fn expires(response: &mut Response, at: SystemTime) {
    if let Ok(at) = HeaderValue::try_from(httpdate::fmt_http_date(at)) {
        response.headers_mut().insert(EXPIRES, at);
    }
}

/// What is ordered by a head: `Upload-Length`, and in `Upload-Metadata` the `filename`, and perhaps the `app` and
/// `replace`. None where there is no length: then the body says it.
///
/// # Errors
/// A sentence on what is missing.
pub(super) fn order(headers: &HeaderMap) -> Option<Result<Order, String>> {
    let length = headers.get(LENGTH)?;
    let bytes = length.to_str().ok().and_then(|length| length.parse().ok());
    let metadata = headers.get(METADATA).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let value = |wanted: &str| {
        let mut pairs =
            metadata.split(',').map(|pair| pair.trim().split_once(' ').unwrap_or_else(|| (pair.trim(), "")));
        pairs.find(|(key, _)| *key == wanted).map(|(_, value)| value)
    };
    let text = |wanted: &str| value(wanted).and_then(|coded| String::from_utf8(decode(coded)?).ok());
    let replace = value("replace").is_some() && text("replace").is_none_or(|said| said != "false");
    Some(match (bytes, text("filename")) {
        (None, _) => Err("Upload-Length is the length of the file in bytes.".to_owned()),
        (_, None) => Err("Upload-Metadata names the file: \"filename\" and, in Base64, its name.".to_owned()),
        (Some(bytes), Some(name)) => {
            let app = text("app").unwrap_or_else(|| DEFAULT_APP.to_owned());
            Ok(Order { app, name, bytes, replace })
        }
    })
}

/// Base64 (RFC 4648, 4), padded or not.
fn decode(coded: &str) -> Option<Vec<u8>> {
    let coded = coded.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(coded.len() * 3 / 4);
    let (mut held, mut bits) = (0_u32, 0);
    for letter in coded.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn base64_is_read() {
        let said = |coded| decode(coded).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(said("").as_deref(), Some(""));
        assert_eq!(said("Zg==").as_deref(), Some("f"));
        assert_eq!(said("Zm8=").as_deref(), Some("fo"));
        assert_eq!(said("Zm9v").as_deref(), Some("foo"));
        assert_eq!(said("w7wvZmlsbS5tcDQ").as_deref(), Some("ü/film.mp4"));
        assert_eq!(said("Zm9*"), None);
    }

    #[test]
    fn an_order_is_read_of_the_head() {
        let asked = |length: &str, metadata: &str| order(&head(&[(LENGTH, length), (METADATA, metadata)]));
        let wanted = Order { app: "vod".into(), name: "film.mp4".into(), bytes: 12, replace: false };
        assert_eq!(asked("12", "filename ZmlsbS5tcDQ=").unwrap(), Ok(wanted.clone()));
        let other = asked("12", "filetype dmlkZW8=, filename ZmlsbS5tcDQ=,app b3RoZXI=,replace");
        assert_eq!(other.unwrap(), Ok(Order { app: "other".into(), replace: true, ..wanted.clone() }));
        assert_eq!(asked("12", "replace ZmFsc2U=,filename ZmlsbS5tcDQ=").unwrap(), Ok(wanted));
        assert!(asked("12", "name ZmlsbS5tcDQ=").unwrap().unwrap_err().contains("filename"));
        assert!(asked("12", "filename ****").unwrap().unwrap_err().contains("filename"));
        assert!(asked("-1", "filename ZmlsbS5tcDQ=").unwrap().unwrap_err().contains("Upload-Length"));
        assert!(order(&HeaderMap::new()).is_none());
    }

    #[test]
    fn other_versions_are_told_ours() {
        let said = |version| head(&[(RESUMABLE, version)]);
        assert!(refuse_version(&HeaderMap::new()).is_none() && !is_spoken(&HeaderMap::new()));
        assert!(refuse_version(&said("1.0.0")).is_none() && is_spoken(&said("1.0.0")));
        let refused = refuse_version(&said("0.2.2")).unwrap();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
        assert_eq!(refused.headers()[VERSION], "1.0.0");
    }
}
