//! The coded bytes as far as an observer judges them: configurations, lengths before NAL units, ADTS.

use headwater_rtmp::capture::Side;
use headwater_rtmp::rule::Rule;

use crate::findings::Findings;
use crate::tag::Tag;

/// NAL units of one frame that are looked at.
const UNITS_MAX: usize = 256;

/// Checks a decoder configuration: the bytes of a NAL unit's length field, or what is wrong.
pub(crate) fn check_config(tag: &Tag, config: &[u8]) -> Result<usize, &'static str> {
    const USUAL: usize = 4;
    let form = match (&tag.four_cc, &*tag.codec) {
        (Some(code), _) => *code,
        (None, "H.264") => *b"avc1",
        (None, "HEVC (id 12)") => *b"hvc1",
        (None, "AAC") => *b"mp4a",
        _ => return Ok(USUAL),
    };
    match &form {
        b"avc1" => match config {
            [0, 0, 0, 1, ..] | [0, 0, 1, ..] => Err("it is Annex B, not an avcC"),
            [1, _, _, _, length, count, _, ..] if count & 0x1F > 0 => Ok(usize::from(length & 3) + 1),
            [1, _, _, _, _, _, _, ..] => Err("an avcC without SPS"),
            [1, ..] => Err("an avcC that is cut short"),
            _ => Err("an avcC whose version is not 1"),
        },
        b"hvc1" => match config {
            [0 | 1, rest @ ..] => {
                rest.get(20).map(|byte| usize::from(byte & 3) + 1).ok_or("an hvcC that is cut short")
            }
            _ => Err("an hvcC whose version is not 1"),
        },
        b"mp4a" if config.len() < 2 => Err("an AudioSpecificConfig that is cut short"),
        _ => Ok(USUAL),
    }
}

/// Checks a coded frame.
pub(crate) fn check_frame(side: Side, tag: &Tag, data: &[u8], length_bytes: usize, findings: &mut Findings) {
    let is_aac = tag.codec == "AAC" || tag.four_cc == Some(*b"mp4a");
    if is_aac && matches!(data, [0xFF, second, ..] if second & 0xF6 == 0xF0) {
        findings.deviation(Rule::AdtsFrame, side, String::new());
    }
    if !tag.has_nal_units() || data.is_empty() {
        return;
    }
    match units(data, length_bytes) {
        Ok(firsts) => check_key_flag(side, tag, &firsts, findings),
        Err(()) if matches!(data, [0, 0, 0, 1, ..] | [0, 0, 1, ..]) => {
            findings.deviation(Rule::StartCode, side, String::new());
        }
        Err(()) => {
            findings.deviation(Rule::TagBroken, side, "the NAL units' lengths do not fill the frame".into());
        }
    }
}

/// The first byte of each NAL unit; an error when the lengths do not fill the frame.
fn units(mut data: &[u8], length_bytes: usize) -> Result<Vec<u8>, ()> {
    let mut firsts = Vec::new();
    while !data.is_empty() && firsts.len() < UNITS_MAX {
        let (length, rest) = data.split_at_checked(length_bytes).ok_or(())?;
        let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let (unit, rest) = rest.split_at_checked(length).ok_or(())?;
        firsts.extend(unit.first());
        data = rest;
    }
    Ok(firsts)
}

fn check_key_flag(side: Side, tag: &Tag, firsts: &[u8], findings: &mut Findings) {
    let is_avc = tag.codec == "H.264" || tag.four_cc == Some(*b"avc1");
    let picture = firsts.iter().find_map(|first| {
        if is_avc {
            let kind = first & 0x1F;
            matches!(kind, 1 | 5).then_some(kind == 5)
        } else if tag.four_cc == Some(*b"vvc1") {
            None
        } else {
            let kind = first >> 1 & 0x3F;
            (kind < 32).then_some((16..=21).contains(&kind))
        }
    });
    match picture {
        Some(true) if !tag.is_key() => {
            findings.deviation(Rule::KeyFlag, side, "an IDR that is not marked".into());
        }
        Some(false) if tag.is_key() => {
            findings.deviation(Rule::KeyFlag, side, "marked, but no IDR (a recovery point?)".into());
        }
        _ => {}
    }
}
