//! What a client would rather have, by the weights in its `Accept-…` fields (RFC 9110, 12.4 and 12.5): the form of a
//! page and its language.

use axum::http::{HeaderMap, HeaderName, header};

/// How bytes are packed on the way (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
    /// Not at all.
    Identity,
}

impl Coding {
    /// The value of `Content-Encoding`; none says that nothing is packed.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    fn is_called(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Self::Brotli => &["br"],
            Self::Gzip => &["gzip", "x-gzip"],
            Self::Identity => &["identity"],
        };
        names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The languages of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

/// What a client thinks of something: thousandths, 0 refuses it.
type Weight = u16;
/// A weight of 1, in thousandths: three digits are all that a weight has (RFC 9110, 12.4.2).
const WEIGHT_MAX: Weight = 1000;

/// The codings that the client takes, the dearest first; between equals the one that packs best. What is not packed
/// comes last unless the client says otherwise: it is taken even by who says that it takes nothing.
pub(super) fn codings(headers: &HeaderMap) -> Vec<Coding> {
    const BY_SIZE: [Coding; 3] = [Coding::Brotli, Coding::Gzip, Coding::Identity];
    let said: Vec<(&str, Weight)> = weighted(headers, &header::ACCEPT_ENCODING).collect();
    let weight = |coding: Coding| {
        let named = said.iter().find(|(name, _)| coding.is_called(name));
        let rest = || said.iter().find(|(name, _)| *name == "*" && coding != Coding::Identity);
        named.or_else(rest).map_or(0, |(_, weight)| *weight)
    };
    let mut taken: Vec<Coding> =
        BY_SIZE.into_iter().filter(|&coding| coding == Coding::Identity || weight(coding) > 0).collect();
    taken.sort_by_key(|&coding| std::cmp::Reverse(weight(coding)));
    taken
}

/// The language of ours that the client likes best; English where it names none of them.
pub(super) fn language(headers: &HeaderMap) -> Language {
    let mut best = (0, Language::English);
    for (range, weight) in weighted(headers, &header::ACCEPT_LANGUAGE) {
        let primary = range.split('-').next().unwrap_or_default();
        let language = match primary.to_ascii_lowercase().as_str() {
            "zh" => Language::Chinese,
            "en" => Language::English,
            _ => continue,
        };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}

/// Whether the client asks for pages: a browser that goes somewhere, not a program.
pub(super) fn takes_html(headers: &HeaderMap) -> bool {
    weighted(headers, &header::ACCEPT)
        .any(|(kind, weight)| kind.eq_ignore_ascii_case("text/html") && weight > 0)
}

/// The members of a field, each with its weight, in their order. A weight that is none counts as refused.
fn weighted<'a>(
    headers: &'a HeaderMap,
    field: &HeaderName,
) -> impl Iterator<Item = (&'a str, Weight)> + use<'a> {
    let values = headers.get_all(field).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((name, weight.map_or(WEIGHT_MAX, read_weight)))
    })
}

fn read_weight(text: &str) -> Weight {
    let weight = text.trim().parse::<f64>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.map_or(0, |weight| (weight * f64::from(WEIGHT_MAX)).round() as Weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(field: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(field, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_coding_is_chosen_by_weight_and_then_by_size() {
        use Coding::{Brotli, Gzip, Identity};
        let taken = |value| codings(&headers(header::ACCEPT_ENCODING, value));
        assert_eq!(codings(&HeaderMap::new()), [Identity]);
        assert_eq!(taken("gzip, deflate, br, zstd"), [Brotli, Gzip, Identity]);
        assert_eq!(taken("GZIP"), [Gzip, Identity]);
        assert_eq!(taken("x-gzip;q=0.5"), [Gzip, Identity]);
        assert_eq!(taken("gzip;q=1.0, br;q=0.3"), [Gzip, Brotli, Identity]);
        assert_eq!(taken("br;q=0.5, identity, gzip;q=0.8"), [Identity, Gzip, Brotli]);
        assert_eq!(taken("br;q=0, *"), [Gzip, Identity]);
        assert_eq!(taken("*;q=0.1"), [Brotli, Gzip, Identity]);
        assert_eq!(taken("gzip;q=0.001"), [Gzip, Identity]);
        for nothing in ["", "identity", "*;q=0", "identity;q=0", "br;q=0", "gzip;q=2", "gzip;q=x", ",,;"] {
            assert_eq!(taken(nothing), [Identity], "{nothing:?}");
        }
        let mut twice = headers(header::ACCEPT_ENCODING, "gzip;q=0.4");
        twice.append(header::ACCEPT_ENCODING, HeaderValue::from_static("br;q=0.2"));
        assert_eq!(codings(&twice), [Gzip, Brotli, Identity]);
    }

    #[test]
    fn the_language_is_the_dearest_of_ours() {
        use Language::{Chinese, English};
        let language = |value| language(&headers(header::ACCEPT_LANGUAGE, value));
        for (value, chosen) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", Chinese),
            ("en-GB,en;q=0.9,zh;q=0.8", English),
            ("de-DE,de;q=0.9,zh-TW;q=0.5,en;q=0.4", Chinese),
            ("en;q=0.4, ZH-hant;q=0.5", Chinese),
            ("fr, *", English),
            ("zh;q=0", English),
            ("zha", English),
            ("", English),
        ] {
            assert_eq!(language(value), chosen, "{value}");
        }
    }

    #[test]
    fn browsers_take_pages_and_programs_do_not() {
        let takes = |value| takes_html(&headers(header::ACCEPT, value));
        assert!(takes("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!takes("*/*") && !takes("application/json") && !takes("text/html;q=0"));
        assert!(!takes_html(&HeaderMap::new()));
    }
}
