//! The rules of RFC 8216bis for a live media playlist: what each text must hold, and what must not change from one to
//! the next. No network and no clock: texts go in, findings come out.

use super::finding::Finding;
use super::playlist::{MediaPlaylist, Part, Segment};

/// Sums of durations that are written with limited digits differ by so much at most, per duration.
const ROUNDING_US: u64 = 500;
/// A frame: dates of segments that follow each other fit their durations within it.
const FRAME_MS: i64 = 45;

/// What one text must hold by itself.
pub(super) fn check_alone(playlist: &MediaPlaylist) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(target_s) = playlist.target_s else {
        return vec![Finding::new("target duration", "there is no EXT-X-TARGETDURATION")];
    };
    for (msn, segment) in playlist.numbered() {
        if (segment.lasts_us + 500_000) / 1_000_000 > target_s {
            let seconds = segment.lasts_us as f64 / 1e6;
            findings.push(Finding::new(
                "target duration",
                format!("segment {msn} lasts {seconds} s, and the target duration is {target_s} s"),
            ));
        }
        if segment.map.is_none() {
            findings.push(Finding::new("map", format!("segment {msn} has no EXT-X-MAP")));
        }
        check_parts(playlist, msn, segment, true, &mut findings);
    }
    check_parts(playlist, playlist.next_msn(), &playlist.open, false, &mut findings);
    if let Some(part_target) = playlist.part_target_us {
        check_low_latency(playlist, target_s, part_target, &mut findings);
    }
    check_version(playlist, &mut findings);
    findings
}

/// The parts of one segment.
fn check_parts(
    playlist: &MediaPlaylist,
    msn: u64,
    segment: &Segment,
    complete: bool,
    findings: &mut Vec<Finding>,
) {
    let Some(target) = playlist.part_target_us else {
        if !segment.parts.is_empty() {
            findings.push(Finding::new("part", format!("segment {msn} has parts without EXT-X-PART-INF")));
        }
        return;
    };
    for (number, part) in segment.parts.iter().enumerate() {
        let is_last = complete && number + 1 == segment.parts.len();
        if part.lasts_us > target {
            let what = format!("part {msn}.{number} lasts {} µs of {target} at most", part.lasts_us);
            findings.push(Finding::new("part target", what));
        }
        // The newest part of the open segment may turn out to be its last.
        let may_be_last = !complete && number + 1 == segment.parts.len();
        if !is_last && !may_be_last && part.lasts_us * 100 < target * 85 {
            let what = format!("part {msn}.{number} lasts {} µs, less than 85 % of {target}", part.lasts_us);
            findings.push(Finding::new("part target", what));
        }
    }
    let sum: u64 = segment.parts.iter().map(|part| part.lasts_us).sum();
    let slack = ROUNDING_US * (segment.parts.len() as u64 + 1);
    // It may last longer: where nothing was sent for a while there is no part.
    if complete && !segment.parts.is_empty() && sum > segment.lasts_us + slack {
        let what = format!("the parts of segment {msn} last {sum} µs, and it lasts {} µs", segment.lasts_us);
        findings.push(Finding::new("parts", what));
    }
}

fn check_low_latency(playlist: &MediaPlaylist, target_s: u64, part_target: u64, findings: &mut Vec<Finding>) {
    let mut wrong = |rule: &'static str, what: String| findings.push(Finding::new(rule, what));
    let control = playlist.control.clone().unwrap_or_default();
    match control.part_hold_back_us {
        None => wrong("server control", "there is no PART-HOLD-BACK".to_owned()),
        Some(back) if back < 2 * part_target => {
            wrong("server control", format!("PART-HOLD-BACK is {back} µs, less than twice {part_target}"));
        }
        Some(_) => {}
    }
    if let Some(back) = control.hold_back_us
        && back < 3 * target_s * 1_000_000
    {
        wrong("server control", format!("HOLD-BACK is {back} µs, less than three target durations"));
    }
    if let Some(until) = control.skip_until_us
        && until < 6 * target_s * 1_000_000
    {
        wrong("server control", format!("CAN-SKIP-UNTIL is {until} µs, less than six target durations"));
    }
    if playlist.hint.is_none() && !playlist.ended {
        wrong("preload hint", "no part is hinted at".to_owned());
    }
    // Parts may go when they lie three target durations before the end (4.4.4.9); nearly there is near enough.
    let mut behind_us: u64 = playlist.open.parts.iter().map(|part| part.lasts_us).sum();
    let listed = playlist.numbered().collect::<Vec<_>>();
    for (msn, segment) in listed.into_iter().rev() {
        if behind_us < 2 * target_s * 1_000_000 && segment.parts.is_empty() && !playlist.ended && !segment.gap
        {
            wrong("parts", format!("segment {msn} lies near the end and has no parts"));
        }
        behind_us += segment.lasts_us;
    }
}

fn check_version(playlist: &MediaPlaylist, findings: &mut Vec<Finding>) {
    let needed = if playlist.skipped > 0 { 9 } else { 6 };
    if playlist.version < needed {
        let what = format!("the version is {}, and what is written needs {needed}", playlist.version);
        findings.push(Finding::new("version", what));
    }
}

/// What must hold from one text of a playlist to the next.
pub(super) fn check_follows(before: &MediaPlaylist, now: &MediaPlaylist) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |rule: &'static str, what: String| findings.push(Finding::new(rule, what));
    if before.target_s != now.target_s {
        wrong("target duration", format!("it was {:?} and is {:?}", before.target_s, now.target_s));
    }
    // What is over may go on without parts.
    if before.part_target_us != now.part_target_us && !(now.ended && now.part_target_us.is_none()) {
        wrong(
            "part target",
            format!("it was {:?} and is {:?} µs", before.part_target_us, now.part_target_us),
        );
    }
    if before.ended && before != now {
        wrong("end", "the playlist has changed behind EXT-X-ENDLIST".to_owned());
    }
    if now.media_sequence < before.media_sequence {
        let what = format!("it went back from {} to {}", before.media_sequence, now.media_sequence);
        wrong("media sequence", what);
        return findings;
    }
    if now.next_msn() < before.next_msn() {
        let what = format!("segment {} was there, and is gone", before.next_msn() - 1);
        wrong("media sequence", what);
    }
    check_breaks(before, now, &mut wrong);
    for (msn, old) in before.numbered() {
        let Some(new) = now.segment(msn) else { continue };
        if msn >= now.next_msn() {
            wrong("segment", format!("segment {msn} was complete, and is open again"));
        } else {
            check_same(msn, old, new, &mut wrong);
        }
    }
    if let Some(new) = now.segment(before.next_msn()) {
        check_grown(before.next_msn(), &before.open, new, &mut wrong);
    }
    check_dates(now, &mut wrong);
    findings
}

/// Breaks that have left the playlist are counted.
fn check_breaks(before: &MediaPlaylist, now: &MediaPlaylist, wrong: &mut impl FnMut(&'static str, String)) {
    let gone = before.numbered().take_while(|(msn, _)| *msn < now.media_sequence);
    let breaks = gone.filter(|(_, segment)| segment.discontinuity).count() as u64;
    // Of segments that were skipped or came and went unseen nothing is known.
    let all_seen = before.skipped == 0 && now.media_sequence <= before.next_msn();
    let expected = before.discontinuity_sequence + breaks;
    if all_seen && now.discontinuity_sequence != expected {
        let what = format!("it is {} and should be {expected}", now.discontinuity_sequence);
        wrong("discontinuity sequence", what);
    }
    if now.discontinuity_sequence < before.discontinuity_sequence {
        let what =
            format!("it went back from {} to {}", before.discontinuity_sequence, now.discontinuity_sequence);
        wrong("discontinuity sequence", what);
    }
}

/// A segment that is complete never changes, but that its parts may no longer be listed.
fn check_same(msn: u64, old: &Segment, new: &Segment, wrong: &mut impl FnMut(&'static str, String)) {
    if (&old.place, old.lasts_us) != (&new.place, new.lasts_us) {
        let what = format!("segment {msn} was {} of {} µs", old.place.uri, old.lasts_us);
        wrong("segment", format!("{what}, and is {} of {} µs", new.place.uri, new.lasts_us));
    }
    if old.discontinuity != new.discontinuity {
        wrong("segment", format!("whether a break stands before segment {msn} has changed"));
    }
    if old.map != new.map {
        wrong("map", format!("the initialisation segment of segment {msn} has changed"));
    }
    if let (Some(old), Some(new)) = (old.date_ms, new.date_ms)
        && old != new
    {
        wrong("date", format!("the date of segment {msn} has moved by {} ms", new - old));
    }
    if !new.parts.is_empty() && old.parts != new.parts {
        wrong("part", format!("the parts of segment {msn} have changed"));
    }
}

/// The parts of an open segment stay as they were when more come, also when it is complete.
fn check_grown(msn: u64, old: &Segment, new: &Segment, wrong: &mut impl FnMut(&'static str, String)) {
    let kept: &[Part] = new.parts.get(..old.parts.len()).unwrap_or(&new.parts);
    let were_dropped = new.parts.is_empty() && new.lasts_us > 0;
    if kept != old.parts && !were_dropped {
        wrong("part", format!("parts of segment {msn} that were listed have changed or are gone"));
    }
    if !old.parts.is_empty() && old.discontinuity != new.discontinuity {
        wrong("part", format!("whether a break stands before segment {msn} has changed"));
    }
}

/// Dates of segments that follow each other without a break fit their durations.
fn check_dates(now: &MediaPlaylist, wrong: &mut impl FnMut(&'static str, String)) {
    let listed: Vec<(u64, &Segment)> = now.numbered().collect();
    for pair in listed.windows(2) {
        let [(_, first), (msn, second)] = pair else { continue };
        let (Some(begins), Some(follows)) = (first.date_ms, second.date_ms) else { continue };
        let off = follows - begins - (first.lasts_us / 1000) as i64;
        if off.abs() > FRAME_MS && !second.discontinuity {
            wrong("date", format!("segment {msn} begins {off} ms off, without EXT-X-DISCONTINUITY"));
        }
    }
}

/// What a request for a delta update must bring: with the segments before, the same as the whole (6.2.5.1).
pub(super) fn check_delta(whole: &MediaPlaylist, delta: &MediaPlaylist) -> Vec<Finding> {
    let mut findings = Vec::new();
    let until = whole.control.as_ref().and_then(|control| control.skip_until_us).unwrap_or(0);
    let mut behind: u64 = whole.open.parts.iter().map(|part| part.lasts_us).sum();
    behind += whole.segments.iter().map(|segment| segment.lasts_us).sum::<u64>();
    for (msn, segment) in whole.numbered().filter(|(msn, _)| *msn >= delta.media_sequence) {
        let was_skipped = msn < delta.media_sequence + delta.skipped;
        if was_skipped && behind <= until {
            let what = format!("segment {msn} is skipped, {behind} µs before the end of {until}");
            findings.push(Finding::new("delta", what));
        }
        let differs = delta.segment(msn).is_some_and(|new| {
            (&new.place, new.lasts_us, new.discontinuity)
                != (&segment.place, segment.lasts_us, segment.discontinuity)
        });
        if !was_skipped && msn < delta.next_msn() && differs {
            findings.push(Finding::new("delta", format!("segment {msn} is another one in the update")));
        }
        behind = behind.saturating_sub(segment.lasts_us);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,HOLD-BACK=6,CAN-SKIP-UNTIL=12\n\
        #EXT-X-PART-INF:PART-TARGET=0.5\n";

    fn playlist(rest: &str) -> MediaPlaylist {
        let (playlist, findings) = MediaPlaylist::parse(&format!("{HEAD}{rest}"));
        assert_eq!(findings, []);
        playlist
    }

    fn said(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(|finding| finding.rule).collect()
    }

    const FIRST: &str = "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"a\"\n\
        #EXT-X-PART:DURATION=0.5,URI=\"7.0\"\n#EXT-X-PART:DURATION=0.1,URI=\"7.1\"\n#EXTINF:0.6,\n7\n";
    const HINT: &str = "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.0\"\n";

    #[test]
    fn a_right_playlist_and_its_next_give_no_finding() {
        let before = playlist(&format!("{FIRST}{HINT}"));
        let now = playlist(&format!("{FIRST}#EXT-X-PART:DURATION=0.5,URI=\"8.0\"\n{HINT}"));
        assert_eq!((check_alone(&before), check_alone(&now)), (vec![], vec![]));
        assert_eq!(check_follows(&before, &now), []);
    }

    #[test]
    fn parts_keep_to_their_target() {
        let long = playlist(
            "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"a\"\n#EXT-X-PART:DURATION=0.51,URI=\"7.0\"\n\
             #EXT-X-PART:DURATION=0.4,URI=\"7.1\"\n#EXT-X-PART:DURATION=0.1,URI=\"7.2\"\n#EXTINF:1.0,\n7\n",
        );
        assert_eq!(said(&check_alone(&long)), ["part target", "part target", "parts", "preload hint"]);
    }

    #[test]
    fn what_was_listed_stays_as_it_was() {
        let before = playlist(&format!("{FIRST}#EXT-X-PART:DURATION=0.5,URI=\"8.0\"\n{HINT}"));
        let other = FIRST.replace("0.6,\n7", "0.6,\nseven").replace("0.1,", "0.2,");
        let changed = playlist(&format!("{other}{HINT}"));
        assert_eq!(said(&check_follows(&before, &changed)), ["segment", "part", "part"]);
        let back = playlist(&format!("{}{HINT}", FIRST.replace("SEQUENCE:7", "SEQUENCE:3")));
        assert_eq!(said(&check_follows(&before, &back)), ["media sequence"]);
    }

    #[test]
    fn breaks_that_have_gone_are_counted() {
        let before = playlist(&format!(
            "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"a\"\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\n7\n\
             #EXTINF:2,\n8\n{HINT}"
        ));
        let now = playlist(&format!("#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-MAP:URI=\"a\"\n#EXTINF:2,\n8\n{HINT}"));
        assert_eq!(said(&check_follows(&before, &now)), ["discontinuity sequence"]);
        let counted = MediaPlaylist { discontinuity_sequence: 1, ..now };
        assert_eq!(check_follows(&before, &counted), []);
    }

    #[test]
    fn dates_fit_durations_unless_there_is_a_break() {
        let dated = |second: &str| {
            let date = "#EXT-X-PROGRAM-DATE-TIME:2026-11-29T07:00:0";
            playlist(&format!(
                "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"a\"\n{date}0Z\n#EXTINF:2,\n1\n\
                 {second}{date}5Z\n#EXTINF:2,\n2\n{HINT}"
            ))
        };
        let (off, broken) = (dated(""), dated("#EXT-X-DISCONTINUITY\n"));
        assert_eq!(said(&check_follows(&off, &off)), ["date"]);
        assert_eq!(check_follows(&broken, &broken), []);
    }

    #[test]
    fn a_delta_skips_only_what_is_old() {
        let segments = |from: u64| (from..20).map(|msn| format!("#EXTINF:2,\n{msn}\n")).collect::<String>();
        let whole =
            playlist(&format!("#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"a\"\n{}{HINT}", segments(1)));
        let delta = |skipped: u64| {
            let head = format!("#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n");
            playlist(&format!("{head}#EXT-X-MAP:URI=\"a\"\n{}{HINT}", segments(1 + skipped)))
        };
        assert_eq!(check_delta(&whole, &delta(13)), []);
        assert_eq!(said(&check_delta(&whole, &delta(15))), ["delta", "delta"]);
    }
}
