//! A playlist as an answer: packed for who takes that, and not sent again to who has it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::negotiation::{Coding, codings};
use super::preconditions::if_none_match;

const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");

/// A playlist, packed once for all who ask for it.
#[derive(Clone, Debug)]
pub(super) struct PlaylistText {
    plain: Bytes,
    /// Made when the first asks for it.
    packed: Arc<OnceLock<Bytes>>,
    /// With its quotes.
    etag: String,
}

impl PlaylistText {
    pub(super) fn new(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        Self { plain: text.into(), packed: Arc::default(), etag }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.plain).unwrap()
    }

    fn packed(&self) -> &Bytes {
        self.packed.get_or_init(|| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            // Nothing fails in memory.
            packer.write_all(&self.plain).and_then(|()| packer.finish()).unwrap_or_default().into()
        })
    }

    /// Answers with it, or that the client has it; `cache` is what caches are told.
    pub(super) fn answer(&self, headers: &HeaderMap, cache: &str) -> Response {
        let has_it = if_none_match(headers, &self.etag) == Some(true);
        let is_packed = codings(headers)
            .into_iter()
            .find(|coding| *coding != Coding::Brotli)
            .is_some_and(|coding| coding == Coding::Gzip);
        let mut response = match (has_it, is_packed) {
            (true, _) => StatusCode::NOT_MODIFIED.into_response(),
            (false, true) => self.packed().clone().into_response(),
            (false, false) => self.plain.clone().into_response(),
        };
        let fields = response.headers_mut();
        if !has_it {
            fields.insert(header::CONTENT_TYPE, PLAYLIST);
        }
        if is_packed && !has_it {
            fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        fields.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        // Packed or not, it says the same.
        for (name, value) in
            [(header::ETAG, format!("W/{}", self.etag)), (header::CACHE_CONTROL, cache.to_owned())]
        {
            fields.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
        }
        response
    }
}
