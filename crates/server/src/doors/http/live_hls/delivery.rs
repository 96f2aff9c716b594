//! Delivery directives: what a client of low latency adds to the address of a media playlist (RFC 8216bis, 6.2.5).

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use headwater_archive::{TARGET_DURATION, Window};
use headwater_media::TrackId;

use crate::doors::http::query::Query;

/// A request that waits for media is answered within three target durations (6.2.5.2).
pub(super) const BLOCKED_MAX: Duration = Duration::from_secs(3 * TARGET_DURATION.as_secs());
/// A client may wait for what is so many segments ahead; farther ahead it is mistaken (6.2.5.2).
const AHEAD_MAX: u64 = 2;

/// What a client asks of a playlist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The segment that the playlist must have, and of it this part; without a part, all of it. Safari leaves the part
    /// out at times.
    awaited: Option<(u64, Option<u32>)>,
    /// Whether segments that the client has can be left out.
    pub(super) skip: bool,
}

impl Delivery {
    /// Reads the directives.
    ///
    /// # Errors
    /// A sentence that names the directive.
    pub(super) fn read(query: Query<'_>) -> Result<Self, String> {
        let number = |name: &str| {
            let text = query.value(name);
            let read =
                text.map(|text| text.parse::<u64>().map_err(|_| format!("{name} is a whole number\n")));
            read.transpose()
        };
        let (segment, part) = (number("_HLS_msn")?, number("_HLS_part")?);
        let skip = matches!(query.value("_HLS_skip"), Some("YES" | "v2"));
        let awaited = match (segment, part) {
            (None, Some(_)) => return Err("_HLS_part needs _HLS_msn beside it\n".to_owned()),
            (None, None) => None,
            // No segment has as many.
            (Some(segment), part) => {
                Some((segment, part.map(|part| u32::try_from(part).unwrap_or(u32::MAX))))
            }
        };
        Ok(Self { awaited, skip })
    }

    /// Whether the answer holds for what was awaited, and so for as long as anybody may ask for it.
    pub(super) const fn is_blocked(&self) -> bool {
        self.awaited.is_some()
    }

    /// Waits until the playlist has what is awaited.
    ///
    /// # Errors
    /// The answer to who waits for what is too far ahead, or has waited long enough.
    pub(super) async fn wait(&self, window: &Window, rendition: TrackId) -> Result<(), Response> {
        let Some((segment, part)) = self.awaited else { return Ok(()) };
        let Some(reach) = window.reach(rendition) else { return Ok(()) };
        let stands = *reach.borrow();
        drop(reach);
        if stands.is_ended || stands.has(segment, part) {
            return Ok(());
        }
        // Of a rendition that has nothing yet, the newest is that of the others.
        let newest = window.kept_numbers().end.saturating_sub(1).max(stands.segment);
        if segment > newest + AHEAD_MAX {
            let text = format!("segment {segment} is far ahead: the newest is {newest}\n");
            return Err((StatusCode::BAD_REQUEST, text).into_response());
        }
        let waited = tokio::time::timeout(BLOCKED_MAX, window.reached(rendition, segment, part)).await;
        waited.map(drop).map_err(|_| {
            let text = format!("nothing has come for {} s; the publisher is away\n", BLOCKED_MAX.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_or_refused() {
        let read = |query| Delivery::read(Query::new(query));
        assert_eq!(read("key=x"), Ok(Delivery::default()));
        assert_eq!(read("_HLS_msn=7"), Ok(Delivery { awaited: Some((7, None)), skip: false }));
        let all = read("_HLS_msn=7&_HLS_part=2&_HLS_skip=v2");
        assert_eq!(all, Ok(Delivery { awaited: Some((7, Some(2))), skip: true }));
        assert_eq!(read("_HLS_msn=7&_HLS_part=99999999999").unwrap().awaited, Some((7, Some(u32::MAX))));
        for wrong in ["_HLS_part=1", "_HLS_msn=x", "_HLS_msn=-1", "_HLS_msn=1&_HLS_part=", "_HLS_msn="] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
