//! Times on the wall as they stand in names of files: UTC, to the second.

use std::time::{Duration, SystemTime};

/// As `2026-11-28_18-03-11`: sorts by time, and has no sign that a file system or an address minds.
#[must_use]
pub(crate) fn stamp(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
}

/// Year, month and day, so many days after 1 January 1970.
const fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March have their leap day at the end: 400 of them are 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turned) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + turned, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |seconds| stamp(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01_00-00-00");
        assert_eq!(at(951_782_399), "2000-02-28_23-59-59");
        assert_eq!(at(951_782_400), "2000-02-29_00-00-00");
        assert_eq!(at(4_107_542_399), "2100-02-28_23-59-59");
        assert_eq!(at(4_107_542_400), "2100-03-01_00-00-00");
        assert_eq!(stamp(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), at(0));
    }
}
