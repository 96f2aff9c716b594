//! Cue points of a broadcast as date ranges of its playlists: what was said is JSON, percent-encoded, for a quoted string
//! has no way to write quotes.

use headwater_archive::CuePoint;
use headwater_media::DateTime;
use headwater_media::amf::Value;
use headwater_media::hls::DateRange;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};

/// The class of all of them, which is the publisher's name for it.
const CLASS: &str = "onCuePoint";
/// Bears what was said.
const SAID: &str = "X-HEADWATER-CUE";
/// Bytes of that, at most: control characters take eighteen each, where they were one. What is longer is left out.
const SAID_BYTES_MAX: usize = 1_024;

/// One that is due at `start` on the wall, of the broadcast whose first segment is `first`.
pub(super) fn date_range(cue: &CuePoint, first: u64, start: DateTime) -> DateRange {
    let said = cue
        .value()
        .map(|value| utf8_percent_encode(&json(&value).to_string(), NON_ALPHANUMERIC).to_string())
        .filter(|said| said.len() <= SAID_BYTES_MAX);
    DateRange {
        id: format!("cue-{first}-{}", cue.sequence),
        class: CLASS.to_owned(),
        start,
        attributes: said.map(|said| (SAID, said)).into_iter().collect(),
    }
}

/// How deep a value is depends on the publisher, within what AMF may be on the wire.
fn json(value: &Value) -> Json {
    /// Up to here whole numbers are exact, 2^53.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < WHOLE_MAX => {
            Json::from(*number as i64)
        }
        Value::Number(number) => Json::from(*number),
        Value::Boolean(is) => Json::Bool(*is),
        Value::String(text) => Json::String(text.to_str_lossy().into_owned()),
        Value::StrictArray(values) => values.iter().map(json).collect(),
        Value::Null | Value::Undefined => Json::Null,
        other => match other.as_object() {
            Some(object) => {
                let named =
                    object.iter().map(|(name, value)| (name.to_str_lossy().into_owned(), json(value)));
                Json::Object(named.collect::<Map<_, _>>())
            }
            None => Json::String(other.to_string()),
        },
    }
}
