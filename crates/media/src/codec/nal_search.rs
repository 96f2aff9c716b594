//! NAL units found in payloads that are not as they should be: start codes where lengths belong, in whole or in
//! part, and lengths of another size.

use super::nal::{find_start_code, nals, trimmed};

/// Longest parameter set or message behind a start code of which lengths may follow without another one.
const LEADING_UNIT_LEN_MAX: usize = 512;
/// More units than that are no access unit that some encoder sent with lengths behind a start code.
const UNITS_TRIED_MAX: usize = 1024;

/// In what form the NAL units of a payload were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitForm {
    /// Each behind a length of the announced size, and nothing else.
    Lengths,
    /// Some or all behind start codes (Annex B), in place of lengths or inside of what a length covers.
    StartCodes,
    /// Each behind a length of another size.
    OtherLengths,
}

/// Finds the NAL units of an access unit, empty ones left out; `None` if a length runs past the end and nothing
/// else explains it. `is_head` tells whether a unit of this codec may begin so.
///
/// Start codes in place of lengths are believed only where the lengths do not tile the payload, for `00 00 01 xx`
/// is also a legal length. Inside a unit they are believed where a unit may begin: no codec lets these bytes stand
/// in its units.
#[must_use]
pub fn find_units(
    payload: &[u8],
    length_size: u8,
    is_head: fn(&[u8]) -> bool,
) -> Option<(Vec<&[u8]>, UnitForm)> {
    if let Ok(tiled) = nals(payload, length_size).collect::<Result<Vec<_>, _>>() {
        let mut units = Vec::with_capacity(tiled.len());
        tiled.iter().for_each(|unit| part_at_start_codes(unit, is_head, &mut units));
        let is_regular = units == tiled;
        return Some((units, if is_regular { UnitForm::Lengths } else { UnitForm::StartCodes }));
    }
    let mixed = mixed_units(payload, usize::from(length_size.clamp(1, 4)), is_head);
    let (found, form) = mixed.map(|units| (units, UnitForm::StartCodes)).or_else(|| {
        // A length of one byte would be found in too much.
        let mut others = [4, 3, 2].into_iter().filter(|other| *other != usize::from(length_size));
        others
            .find_map(|other| strictly_tiled(payload, other, is_head).map(|it| (it, UnitForm::OtherLengths)))
    })?;
    let mut units = Vec::with_capacity(found.len());
    found.iter().for_each(|unit| part_at_start_codes(unit, is_head, &mut units));
    Some((units, form))
}

/// Cuts a unit where a start code stands inside of it and another unit may begin behind that.
fn part_at_start_codes<'a>(unit: &'a [u8], is_head: fn(&[u8]) -> bool, units: &mut Vec<&'a [u8]>) {
    let (mut unit, mut searched, mut is_parted) = (unit, 0, false);
    while let Some(found) = find_start_code(&unit[searched..]) {
        let at = searched + found;
        let next = &unit[at + 3..];
        if is_head(next) {
            units.extend(Some(trimmed(&unit[..at])).filter(|unit| !unit.is_empty()));
            (unit, searched, is_parted) = (next, 0, true);
        } else {
            searched = at + 3;
        }
    }
    let last = if is_parted { trimmed(unit) } else { unit };
    units.extend(Some(last).filter(|unit| !unit.is_empty()));
}

/// Units behind start codes and units behind lengths, in any order.
fn mixed_units(payload: &[u8], length_size: usize, is_head: fn(&[u8]) -> bool) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let code = start_code_len(rest).filter(|_| !is_length(rest, length_size));
        let (unit, behind) = if let Some(code) = code {
            let body = &rest[code..];
            let end = find_start_code(body).unwrap_or_else(|| lengths_behind(body, length_size, is_head));
            let (unit, behind) = body.split_at(end);
            (trimmed(unit), behind)
        } else if let Some(empty) = empty_units_len(rest, length_size) {
            // All at once: whoever looked at what is left of them after each would never come to an end.
            rest = &rest[empty..];
            continue;
        } else {
            match split_length(rest, length_size) {
                Some(split) => split,
                None if rest.iter().all(|&byte| byte == 0) => break,
                None => return None,
            }
        };
        units.extend(Some(unit).filter(|unit| !unit.is_empty()));
        rest = behind;
    }
    (!units.is_empty()).then_some(units)
}

/// Whether what looks like a start code of three bytes is a length: another unit, or the end, stands behind what
/// it covers. A length of one (`00 00 00 01`) is always taken for a start code.
fn is_length(rest: &[u8], length_size: usize) -> bool {
    let Some((unit, behind)) = split_length(rest, length_size) else { return false };
    let goes_on = || start_code_len(behind).is_some() || split_length(behind, length_size).is_some();
    unit.len() > 1 && (behind.is_empty() || goes_on())
}

/// Where units with lengths begin behind a unit that a start code stands before and none follows: some encoders
/// put their parameter sets before an access unit as they lie in memory.
fn lengths_behind(body: &[u8], length_size: usize, is_head: fn(&[u8]) -> bool) -> usize {
    let last = body.len().min(LEADING_UNIT_LEN_MAX);
    (1..last).find(|&at| strictly_tiled(&body[at..], length_size, is_head).is_some()).unwrap_or(body.len())
}

/// Units behind lengths that fill `payload` to its last byte, none of them empty or strange.
fn strictly_tiled(payload: &[u8], length_size: usize, is_head: fn(&[u8]) -> bool) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() && units.len() < UNITS_TRIED_MAX {
        let (unit, behind) = split_length(rest, length_size).filter(|(unit, _)| is_head(unit))?;
        units.push(unit);
        rest = behind;
    }
    (rest.is_empty() && !units.is_empty()).then_some(units)
}

/// The unit behind the length that `rest` begins with, and what follows; `None` if it runs past the end.
fn split_length(rest: &[u8], length_size: usize) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = rest.split_at_checked(length_size)?;
    let len = prefix.iter().fold(0usize, |len, &byte| len << 8 | usize::from(byte));
    rest.split_at_checked(len)
}

/// How long the start code is that `rest` begins with, the zeros in front included.
fn start_code_len(rest: &[u8]) -> Option<usize> {
    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
    (zeros >= 2 && rest.get(zeros) == Some(&1)).then_some(zeros + 1)
}

/// Bytes of the lengths of 0 that `rest` begins with.
fn empty_units_len(rest: &[u8], length_size: usize) -> Option<usize> {
    let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
    (zeros >= length_size).then_some(zeros - zeros % length_size.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::h264::is_nal_head;
    use proptest::prelude::*;

    #[test]
    fn a_megabyte_of_zeros_is_passed_over_at_once() {
        let zeros = [&[0; 1 << 20][..], &[0xFF; 5]].concat();
        assert_eq!(find_units(&zeros, 4, is_nal_head), None);
        let before_a_unit = [&[0; 1 << 20][..], &[0, 0, 0, 5], IDR].concat();
        assert_eq!(find_units(&before_a_unit, 4, is_nal_head).map(|(units, _)| units), Some(vec![IDR]));
    }

    const SPS: &[u8] = &[0x67, 0x4D, 0x40, 0x1F];
    const PPS: &[u8] = &[0x68, 0xE8, 0x43];
    const SEI: &[u8] = &[0x06, 5, 4, b'a', b'b', b'c', b'd', 0x80];
    const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21, 0x77];

    fn prefixed(units: &[&[u8]], length_size: usize) -> Vec<u8> {
        let length = |unit: &[u8]| (unit.len() as u32).to_be_bytes()[4 - length_size..].to_vec();
        units.iter().flat_map(|unit| [length(unit), unit.to_vec()].concat()).collect()
    }

    fn annex_b(units: &[&[u8]], code: &[u8]) -> Vec<u8> {
        units.iter().flat_map(|unit| [code, unit].concat()).collect()
    }

    #[track_caller]
    fn found(payload: &[u8], length_size: u8) -> (Vec<&[u8]>, UnitForm) {
        find_units(payload, length_size, is_nal_head).unwrap()
    }

    #[test]
    fn one_length_over_units_with_start_codes_between() {
        for code in [&[0, 0, 0, 1][..], &[0, 0, 1], &[0, 0, 0, 0, 1]] {
            let inside = [SEI, code, PPS, code, IDR].concat();
            let payload = prefixed(&[&inside], 4);
            assert_eq!(found(&payload, 4), (vec![SEI, PPS, IDR], UnitForm::StartCodes));
            let payload = prefixed(&[&[code, IDR].concat(), SEI], 4);
            assert_eq!(found(&payload, 4), (vec![IDR, SEI], UnitForm::StartCodes));
        }
        // What cannot be a unit's head behind the code stays: `0xFF` has the forbidden bit.
        let odd = [IDR, &[0, 0, 1, 0xFF, 3]].concat();
        let payload = prefixed(&[&odd], 4);
        assert_eq!(found(&payload, 4), (vec![&odd[..]], UnitForm::Lengths));
    }

    #[test]
    fn start_codes_and_lengths_in_one_payload() {
        for code in [&[0, 0, 0, 1][..], &[0, 0, 1]] {
            let sets_in_front = [annex_b(&[SPS, PPS], code), prefixed(&[SEI, IDR], 4)].concat();
            assert_eq!(found(&sets_in_front, 4), (vec![SPS, PPS, SEI, IDR], UnitForm::StartCodes));
            let lengths_in_front = [prefixed(&[SPS, PPS], 4), annex_b(&[SEI, IDR], code)].concat();
            assert_eq!(found(&lengths_in_front, 4), (vec![SPS, PPS, SEI, IDR], UnitForm::StartCodes));
            assert_eq!(found(&annex_b(&[SPS, IDR], code), 4), (vec![SPS, IDR], UnitForm::StartCodes));
        }
        // A length of 0x01xx is no start code where the units say so.
        let long = [IDR, &[0x77; 300]].concat();
        let payload = [prefixed(&[&long], 4), annex_b(&[IDR], &[0, 0, 0, 1])].concat();
        assert_eq!(found(&payload, 4), (vec![&long[..], IDR], UnitForm::StartCodes));
    }

    #[test]
    fn lengths_of_another_size() {
        let long = [IDR, &[0x77; 0x1234]].concat();
        for (announced, sent) in [(4, 2), (4, 3), (3, 4), (1, 4), (1, 2)] {
            let payload = prefixed(&[SPS, &long], sent);
            let (units, form) = found(&payload, announced);
            assert_eq!((units, form), (vec![SPS, &long[..]], UnitForm::OtherLengths), "{announced} {sent}");
        }
        // Lengths of four bytes read as two are empty units between the others.
        assert_eq!(found(&prefixed(&[SPS, &long], 4), 2), (vec![SPS, &long[..]], UnitForm::Lengths));
        assert_eq!(find_units(&[0, 0, 0, 200, 0x41, 9, 9], 4, is_nal_head), None);
    }

    #[test]
    fn empty_units_are_left_out() {
        let payload = [&[0; 4][..], &prefixed(&[IDR], 4), &[0; 4]].concat();
        assert_eq!(found(&payload, 4), (vec![IDR], UnitForm::Lengths));
        assert_eq!(found(&[], 4), (vec![], UnitForm::Lengths));
    }

    proptest! {
        #[test]
        fn a_start_code_is_found_where_a_simple_search_finds_it(
            data in prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 1, 2, 3, 3, 3, 3]), 0..100),
        ) {
            let simple = data.windows(3).position(|window| window == [0, 0, 1]);
            prop_assert_eq!(find_start_code(&data), simple);
        }

        #[test]
        fn any_bytes_never_panic(
            data in prop::collection::vec(prop::sample::select(vec![0u8, 0, 1, 2, 9, 0x65, 0xFF]), 0..80),
            length_size in 0u8..6,
        ) {
            if let Some((units, _)) = find_units(&data, length_size, is_nal_head) {
                prop_assert!(units.iter().all(|unit| !unit.is_empty()));
            }
        }
    }
}
