//! A media playlist as it is read: every tag of RFC 8216bis that a live playlist can have, and what is wrong with the
//! text by itself.

use std::collections::BTreeMap;

use super::finding::Finding;

/// A place, and a range of it (offset, length).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) uri: String,
    pub(crate) range: Option<(u64, u64)>,
}

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) place: Place,
    /// Microseconds.
    pub(crate) lasts_us: u64,
    pub(crate) independent: bool,
}

/// A segment; of the one that is not complete yet, what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) place: Place,
    /// Microseconds; 0 as long as it is not complete.
    pub(crate) lasts_us: u64,
    pub(crate) discontinuity: bool,
    /// Whether there is nothing to be had.
    pub(crate) gap: bool,
    /// `EXT-X-PROGRAM-DATE-TIME` in milliseconds of the Unix epoch.
    pub(crate) date_ms: Option<i64>,
    /// What its initialisation segment is.
    pub(crate) map: Option<Place>,
    pub(crate) parts: Vec<Part>,
}

/// `EXT-X-SERVER-CONTROL`, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) can_block: bool,
    pub(crate) part_hold_back_us: Option<u64>,
    pub(crate) hold_back_us: Option<u64>,
    pub(crate) skip_until_us: Option<u64>,
}

/// `EXT-X-RENDITION-REPORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) uri: String,
    pub(crate) last_msn: u64,
    pub(crate) last_part: Option<u64>,
}

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaPlaylist {
    pub(crate) version: u64,
    pub(crate) target_s: Option<u64>,
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) kind: Option<String>,
    pub(crate) independent: bool,
    pub(crate) i_frames_only: bool,
    pub(crate) part_target_us: Option<u64>,
    pub(crate) control: Option<Control>,
    /// Segments that are left out since the client has them.
    pub(crate) skipped: u64,
    pub(crate) segments: Vec<Segment>,
    /// The segment that is not complete: its parts.
    pub(crate) open: Segment,
    pub(crate) hint: Option<Place>,
    pub(crate) reports: Vec<Report>,
    pub(crate) ended: bool,
}

impl MediaPlaylist {
    /// Reads a text; what cannot be read is told.
    pub(crate) fn parse(text: &str) -> (Self, Vec<Finding>) {
        let mut reading = Reading::default();
        if text.lines().next() != Some("#EXTM3U") {
            reading.wrong("the first line is not #EXTM3U");
        }
        for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
            reading.line(line);
        }
        let Reading { mut playlist, next, findings, .. } = reading;
        playlist.open = next;
        (playlist, findings)
    }

    /// The number behind the last segment that is complete: that of the open one.
    pub(crate) fn next_msn(&self) -> u64 {
        self.media_sequence + self.skipped + self.segments.len() as u64
    }

    /// The segments with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u64, &Segment)> {
        (self.media_sequence + self.skipped..).zip(&self.segments)
    }

    /// The segment with a number, be it complete or open.
    pub(crate) fn segment(&self, msn: u64) -> Option<&Segment> {
        let at = msn.checked_sub(self.media_sequence + self.skipped)? as usize;
        if at == self.segments.len() { Some(&self.open) } else { self.segments.get(at) }
    }

    /// The newest part: its segment's number and its own. Without parts, the newest segment.
    pub(crate) fn newest(&self) -> Option<(u64, Option<u64>)> {
        match self.open.parts.len() as u64 {
            0 => {
                let msn = self.next_msn().checked_sub(1)?;
                let parts = self.segments.last().map_or(0, |segment| segment.parts.len() as u64);
                Some((msn, parts.checked_sub(1)))
            }
            parts => Some((self.next_msn(), Some(parts - 1))),
        }
    }
}

/// A playlist that is being read.
#[derive(Default)]
struct Reading {
    playlist: MediaPlaylist,
    /// What stands before the segment to come.
    next: Segment,
    map: Option<Place>,
    findings: Vec<Finding>,
    /// A range without an offset begins where the one before it has ended.
    after: u64,
    seen: BTreeMap<&'static str, u32>,
}

impl Reading {
    fn wrong(&mut self, what: impl Into<String>) {
        self.findings.push(Finding::new("syntax", what));
    }

    fn line(&mut self, line: &str) {
        if let Some(tag) = line.strip_prefix("#EXT") {
            let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
            self.tag(name, value);
        } else if !line.starts_with('#') {
            let mut segment = std::mem::take(&mut self.next);
            segment.place.uri = line.to_owned();
            segment.map.clone_from(&self.map);
            if segment.lasts_us == 0 {
                self.wrong(format!("{line} has no duration of its own"));
            }
            self.after = segment.place.range.map_or(0, |(offset, length)| offset + length);
            self.playlist.segments.push(segment);
        }
    }

    fn tag(&mut self, name: &str, value: &str) {
        let list = Attributes(value);
        match name {
            "-X-VERSION" => self.playlist.version = self.once("EXT-X-VERSION", value),
            "-X-TARGETDURATION" => {
                self.playlist.target_s = Some(self.once("EXT-X-TARGETDURATION", value));
            }
            "-X-MEDIA-SEQUENCE" => self.playlist.media_sequence = self.once("EXT-X-MEDIA-SEQUENCE", value),
            "-X-DISCONTINUITY-SEQUENCE" => {
                self.playlist.discontinuity_sequence = self.once("EXT-X-DISCONTINUITY-SEQUENCE", value);
            }
            "-X-PLAYLIST-TYPE" => self.playlist.kind = Some(value.to_owned()),
            "-X-INDEPENDENT-SEGMENTS" => self.playlist.independent = true,
            "-X-I-FRAMES-ONLY" => self.playlist.i_frames_only = true,
            "-X-ENDLIST" => self.playlist.ended = true,
            "-X-GAP" => self.next.gap = true,
            "-X-DISCONTINUITY" => self.next.discontinuity = true,
            "-X-PROGRAM-DATE-TIME" => match unix_ms(value) {
                Some(date) => self.next.date_ms = Some(date),
                None => self.wrong(format!("{value} is no date and time")),
            },
            "-X-MAP" => {
                self.map = Some(self.place(&list, "URI", "BYTERANGE"));
                self.next.map.clone_from(&self.map);
            }
            "-X-BYTERANGE" => self.next.place.range = byte_range(value, self.after),
            "INF" => match value.split(',').next().and_then(micros) {
                Some(lasts) => self.next.lasts_us = lasts,
                None => self.wrong(format!("EXTINF:{value} has no duration")),
            },
            "-X-SKIP" => match list.of("SKIPPED-SEGMENTS").and_then(|count| count.parse().ok()) {
                Some(count) => self.playlist.skipped = count,
                None => self.wrong("EXT-X-SKIP does not say how many segments"),
            },
            _ => self.low_latency(name, value, &list),
        }
    }

    fn low_latency(&mut self, name: &str, value: &str, list: &Attributes<'_>) {
        let is = |key: &str| list.of(key) == Some("YES");
        match name {
            "-X-PART-INF" => match list.of("PART-TARGET").and_then(micros) {
                Some(target) => self.playlist.part_target_us = Some(target),
                None => self.wrong(format!("EXT-X-PART-INF:{value} has no PART-TARGET")),
            },
            "-X-SERVER-CONTROL" => {
                let seconds = |key| list.of(key).and_then(micros);
                self.playlist.control = Some(Control {
                    can_block: is("CAN-BLOCK-RELOAD"),
                    part_hold_back_us: seconds("PART-HOLD-BACK"),
                    hold_back_us: seconds("HOLD-BACK"),
                    skip_until_us: seconds("CAN-SKIP-UNTIL"),
                });
            }
            "-X-PART" => {
                let Some(lasts_us) = list.of("DURATION").and_then(micros) else {
                    return self.wrong(format!("EXT-X-PART:{value} has no DURATION"));
                };
                let place = self.place(list, "URI", "BYTERANGE");
                self.next.map.clone_from(&self.map);
                self.next.parts.push(Part { place, lasts_us, independent: is("INDEPENDENT") });
            }
            "-X-PRELOAD-HINT" if list.of("TYPE") == Some("PART") => {
                if self.playlist.hint.is_some() {
                    self.wrong("two parts are hinted at");
                }
                let uri = list.of("URI").unwrap_or_default().to_owned();
                self.playlist.hint = Some(Place { uri, range: None });
            }
            "-X-RENDITION-REPORT" => {
                let number = |key| list.of(key).and_then(|number| number.parse().ok());
                match (list.of("URI"), number("LAST-MSN"), number("LAST-PART")) {
                    (Some(uri), Some(last_msn), last_part) => {
                        let uri = uri.to_owned();
                        self.playlist.reports.push(Report { uri, last_msn, last_part });
                    }
                    _ => self.wrong(format!("EXT-X-RENDITION-REPORT:{value} lacks URI or LAST-MSN")),
                }
            }
            _ => {}
        }
    }

    /// A tag that may stand once, and is a number.
    fn once(&mut self, name: &'static str, value: &str) -> u64 {
        let count = self.seen.entry(name).or_default();
        *count += 1;
        if *count > 1 {
            self.wrong(format!("{name} stands more than once"));
        }
        value.trim().parse().unwrap_or_else(|_| {
            self.wrong(format!("{name}:{value} is no whole number"));
            0
        })
    }

    fn place(&mut self, list: &Attributes<'_>, uri: &str, range: &str) -> Place {
        let Some(uri) = list.of(uri) else {
            self.wrong(format!("{} has no URI", list.0));
            return Place::default();
        };
        let range = list.of(range).and_then(|range| byte_range(range, 0));
        Place { uri: uri.to_owned(), range }
    }
}

/// A list of attributes (4.2).
pub(crate) struct Attributes<'a>(pub(crate) &'a str);

impl<'a> Attributes<'a> {
    /// The value with a name, without its quotes.
    pub(crate) fn of(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.0;
        loop {
            let (key, after) = rest.split_once('=')?;
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            if key.trim() == name {
                return Some(value);
            }
            rest = next.trim_start_matches(',');
        }
    }
}

/// `length[@offset]`.
fn byte_range(text: &str, after: u64) -> Option<(u64, u64)> {
    let (length, offset) =
        text.split_once('@').map_or((text, None), |(length, offset)| (length, Some(offset)));
    let offset = offset.map_or(Some(after), |offset| offset.trim().parse().ok())?;
    Some((offset, length.trim().parse().ok()?))
}

/// Seconds as microseconds.
fn micros(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.trim().parse().ok()?;
    (seconds.is_finite() && (0.0..1e9).contains(&seconds)).then(|| (seconds * 1e6).round() as u64)
}

/// A date and time of RFC 3339 as milliseconds of the Unix epoch.
fn unix_ms(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let zone = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone);
    let mut clock = clock.split(':');
    let (hours, minutes) = (clock.next()?.parse::<i64>().ok()?, clock.next()?.parse::<i64>().ok()?);
    let seconds: f64 = clock.next()?.parse().ok()?;
    let shift = if zone == "Z" { 0 } else { zone_minutes(zone)? };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1 March of the year 0, in the way that leap days fall at the end (Gregorian, proleptic).
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    Some(((days * 24 + hours) * 60 + minutes - shift) * 60_000 + (seconds * 1000.0).round() as i64)
}

fn zone_minutes(zone: &str) -> Option<i64> {
    let (sign, digits) = (if zone.starts_with('-') { -1 } else { 1 }, zone[1..].replace(':', ""));
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 60 + number % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.005,HOLD-BACK=18.0,CAN-SKIP-UNTIL=36.0\n\
        #EXT-X-PART-INF:PART-TARGET=0.335\n#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-11-29T07:00:00.250Z\n#EXT-X-MAP:URI=\"a.mp4\"\n\
        #EXT-X-PART:DURATION=0.32,URI=\"7.0.m4s\",INDEPENDENT=YES\n#EXTINF:0.600000,\n7.m4s\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"b.mp4\",BYTERANGE=\"10@5\"\n\
        #EXT-X-PART:DURATION=0.333,URI=\"8.0.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1.m4s\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"audio-0.m3u8\",LAST-MSN=8,LAST-PART=1\n";

    #[test]
    fn every_tag_is_read() {
        let (playlist, findings) = MediaPlaylist::parse(TEXT);
        assert_eq!(findings, []);
        assert_eq!(
            (playlist.version, playlist.target_s, playlist.part_target_us),
            (9, Some(6), Some(335_000))
        );
        assert_eq!((playlist.media_sequence, playlist.skipped, playlist.next_msn()), (4, 3, 8));
        assert_eq!(playlist.newest(), Some((8, Some(0))));
        let control = playlist.control.as_ref().unwrap();
        assert_eq!((control.can_block, control.part_hold_back_us), (true, Some(1_005_000)));
        let complete = playlist.segment(7).unwrap();
        assert_eq!((complete.lasts_us, complete.parts.len(), complete.discontinuity), (600_000, 1, false));
        assert_eq!(complete.map.as_ref().unwrap().uri, "a.mp4");
        assert!(complete.parts[0].independent);
        let open = playlist.segment(8).unwrap();
        assert_eq!((open.parts[0].lasts_us, open.discontinuity), (333_000, true));
        assert_eq!(open.map.as_ref().unwrap().range, Some((5, 10)));
        assert_eq!(playlist.hint.as_ref().unwrap().uri, "8.1.m4s");
        assert_eq!(playlist.reports[0].last_part, Some(1));
    }

    #[test]
    fn times_of_day_are_milliseconds_of_the_epoch() {
        assert_eq!(unix_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_ms("2026-11-29T07:00:00.250Z"), Some(1_795_935_600_250));
        assert_eq!(unix_ms("2026-11-29T09:00:00.250+02:00"), Some(1_795_935_600_250));
        assert_eq!(unix_ms("2000-02-29T12:00:00-0130"), Some(951_831_000_000));
        assert_eq!((unix_ms("yesterday"), unix_ms("2026-13-01T00:00:00Z")), (None, None));
    }

    #[test]
    fn what_is_wrong_with_a_text_is_told() {
        let (_, findings) = MediaPlaylist::parse(
            "#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-TARGETDURATION:x\n\
             #EXT-X-PART:URI=\"x\"\n#EXTINF:,\n0.m4s\n",
        );
        let said: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(
            said,
            [
                "the first line is not #EXTM3U",
                "EXT-X-TARGETDURATION stands more than once",
                "EXT-X-TARGETDURATION:x is no whole number",
                "EXT-X-PART:URI=\"x\" has no DURATION",
                "EXTINF:, has no duration",
                "0.m4s has no duration of its own",
            ]
        );
    }
}
