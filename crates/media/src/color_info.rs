//! Colours and brightness of a video track beside its configuration: what Enhanced RTMP sends as
//! `colorInfo` and MP4 keeps in the boxes `colr`, `mdcv` and `clli`.

use bytes::Bytes;

use crate::amf::{Limits, Object, Value, amf0};
use crate::codec::colours::Colours;

const NAME: &str = "colorInfo";
const CONFIG: &str = "colorConfig";
const LIGHT: &str = "hdrCll";
const MASTERING: &str = "hdrMdcv";
const MASTERING_KEYS: [&str; 10] = [
    "redX",
    "redY",
    "greenX",
    "greenY",
    "blueX",
    "blueY",
    "whitePointX",
    "whitePointY",
    "maxLuminance",
    "minLuminance",
];

/// What is known of a track's colours and brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorInfo {
    /// What the numbers of a picture mean. Enhanced RTMP does not say the range.
    pub colours: Option<Colours>,
    /// The brightest pixel and the brightest average of a picture, in cd/m².
    pub light: Option<(u16, u16)>,
    /// The display that the film was made on (SMPTE ST 2086): x and y of red, green, blue and white in
    /// the CIE diagram, then the largest and the smallest luminance in cd/m².
    pub mastering: Option<[f64; 10]>,
}

impl ColorInfo {
    /// Reads [`Track::extra`](crate::Track::extra). What is missing or of another shape is `None`.
    #[must_use]
    pub fn parse(extra: &[u8]) -> Self {
        let values = amf0::decode_all_with(extra, &Limits::FILE).unwrap_or_default();
        let [name, about, ..] = values.as_slice() else { return Self::default() };
        if name.as_text().is_none_or(|name| *name != *NAME) {
            return Self::default();
        }
        let part = |key| about.as_object()?.get(key)?.as_object();
        let number = |part: &Object, key: &str| part.get(key).and_then(Value::as_number);
        let colours = part(CONFIG).and_then(|part| {
            // Float to integer casts saturate.
            let field = |key| number(part, key).map(|value| value as u8);
            Some(Colours {
                primaries: field("colorPrimaries")?,
                transfer: field("transferCharacteristics")?,
                matrix: field("matrixCoefficients")?,
                full_range: false,
            })
        });
        let light = part(LIGHT)
            .and_then(|part| Some((number(part, "maxCLL")? as u16, number(part, "maxFall")? as u16)));
        let mastering = part(MASTERING).and_then(|part| {
            let mut fields = [0.0; 10];
            for (field, key) in fields.iter_mut().zip(MASTERING_KEYS) {
                *field = number(part, key)?;
            }
            Some(fields)
        });
        Self { colours, light, mastering }
    }

    /// Writes what [`Track::extra`](crate::Track::extra) holds; empty if nothing is known.
    #[must_use]
    pub fn to_extra(&self) -> Bytes {
        let mut about = Object::new();
        if let Some(colours) = self.colours {
            let config = Object::new()
                .with("colorPrimaries", f64::from(colours.primaries))
                .with("transferCharacteristics", f64::from(colours.transfer))
                .with("matrixCoefficients", f64::from(colours.matrix));
            about.insert(CONFIG, config);
        }
        if let Some((brightest, average)) = self.light {
            let light =
                Object::new().with("maxFall", f64::from(average)).with("maxCLL", f64::from(brightest));
            about.insert(LIGHT, light);
        }
        if let Some(fields) = self.mastering {
            let mut mastering = Object::new();
            for (key, field) in MASTERING_KEYS.into_iter().zip(fields) {
                mastering.insert(key, field);
            }
            about.insert(MASTERING, mastering);
        }
        if about.is_empty() {
            return Bytes::new();
        }
        amf0::encode_all(&[Value::string(NAME), Value::Object(about)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let colours = Colours { primaries: 9, transfer: 16, matrix: 9, full_range: false };
        let mastering = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 1000.0, 0.005];
        let info = ColorInfo { colours: Some(colours), light: Some((1000, 400)), mastering: Some(mastering) };
        assert_eq!(ColorInfo::parse(&info.to_extra()), info);
        let some = ColorInfo { mastering: None, light: None, ..info };
        assert_eq!(ColorInfo::parse(&some.to_extra()), some);
        assert_eq!(ColorInfo::default().to_extra(), Bytes::new());
    }

    #[test]
    fn what_is_empty_or_something_else_says_nothing() {
        // As FFmpeg writes it when nothing is known.
        let empty = b"\x02\0\x09colorInfo\x03\0\x0BcolorConfig\x03\0\0\x09\0\0\x09";
        let other = amf0::encode_all(&[Value::string("onCuePoint"), Value::Null]);
        for extra in [&empty[..], &other, &[], &[2, 0]] {
            assert_eq!(ColorInfo::parse(extra), ColorInfo::default(), "{extra:02x?}");
        }
    }
}
