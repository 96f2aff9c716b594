//! The `Range` field of a request (RFC 9110, 14): which bytes of how many.

use std::ops::Range;

/// Ranges of one request that are answered; who asks for more of them gets the whole.
const RANGES_MAX: usize = 16;

/// What a request wants of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestedRange {
    /// All of it: no range is named, or none that this server understands, or too many.
    Whole,
    /// These parts, in this order, none of them empty.
    Parts(Vec<Range<u64>>),
    /// Only what does not exist.
    Nothing,
}

impl RequestedRange {
    /// Reads the value of a `Range` field for a body of `len` bytes. What is malformed counts as not sent.
    pub(super) fn read(value: &str, len: u64) -> Self {
        let Some(specs) = value.trim().strip_prefix("bytes=") else { return Self::Whole };
        let mut parts: Vec<Range<u64>> = Vec::new();
        for (number, spec) in specs.split(',').map(str::trim).filter(|spec| !spec.is_empty()).enumerate() {
            let Some(range) = (number < RANGES_MAX).then(|| range(spec, len)).flatten() else {
                return Self::Whole;
            };
            if !range.is_empty() {
                parts.push(range);
            }
        }
        let asked: u64 = parts.iter().map(|part| part.end - part.start).fold(0, u64::saturating_add);
        match parts.len() {
            0 => Self::Nothing,
            // Ranges that overlap only serve to make a server work (RFC 9110, 17.15).
            2.. if asked > len => Self::Whole,
            _ => Self::Parts(parts),
        }
    }
}

/// `first-last`, `first-` or `-count`; empty if it lies behind the end, `None` if it is malformed.
fn range(spec: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", count) => Some(len.saturating_sub(number(count)?)..len),
        (first, "") => Some(number(first)?.min(len)..len),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(len)..last.saturating_add(1).min(len))
        }
    }
}

/// Digits only; a number too large for 64 bits is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_range() {
        let parts = |value: &str| match RequestedRange::read(value, 100) {
            RequestedRange::Parts(parts) => {
                parts.into_iter().map(|part| (part.start, part.end)).collect::<Vec<_>>()
            }
            other => panic!("{value}: {other:?}"),
        };
        assert_eq!(parts("bytes=0-0"), [(0, 1)]);
        assert_eq!(parts("bytes=10-"), [(10, 100)]);
        assert_eq!(parts("bytes=-10"), [(90, 100)]);
        assert_eq!(parts("bytes=-1000"), [(0, 100)]);
        assert_eq!(parts("bytes=90-1000"), [(90, 100)]);
        assert_eq!(parts("bytes=0-99999999999999999999999"), [(0, 100)]);
        assert_eq!(parts("bytes=0-1, 5-6 ,,-1"), [(0, 2), (5, 7), (99, 100)]);
        assert_eq!(parts("bytes=100-, 0-0"), [(0, 1)], "what does not exist is left out");
    }

    #[test]
    fn what_is_behind_the_end_is_nothing_and_what_is_malformed_was_not_sent() {
        for nothing in ["bytes=100-", "bytes=-0", "bytes=100-200", "bytes=,"] {
            assert_eq!(RequestedRange::read(nothing, 100), RequestedRange::Nothing, "{nothing}");
        }
        assert_eq!(RequestedRange::read("bytes=0-", 0), RequestedRange::Nothing);
        for whole in
            ["bytes=a-b", "bytes=5-1", "bytes=-", "bytes=1", "items=0-1", "", "bytes=+1-2", "bytes=--1"]
        {
            assert_eq!(RequestedRange::read(whole, 100), RequestedRange::Whole, "{whole}");
        }
    }

    #[test]
    fn many_or_overlapping_ranges_get_the_whole() {
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(RequestedRange::read(&many(RANGES_MAX), 100), RequestedRange::Parts(_)));
        assert_eq!(RequestedRange::read(&many(RANGES_MAX + 1), 100), RequestedRange::Whole);
        assert_eq!(RequestedRange::read("bytes=0-,0-", 100), RequestedRange::Whole);
    }
}
