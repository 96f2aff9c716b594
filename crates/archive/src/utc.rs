//! Times on the wall as they stand in names of files: UTC, to the second.

use std::time::{Duration, SystemTime};

use headwater_media::DateTime;

/// As `2026-11-28_18-03-11`: sorts by time, and has no sign that a file system or an address minds.
#[must_use]
pub(crate) fn stamp(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let time = DateTime::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let ((year, month, day), (hour, minute, second, _)) = (time.date(), time.time());
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
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
