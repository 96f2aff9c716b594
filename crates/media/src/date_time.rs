//! Wall-clock times as text. Clocks are not read here: a time comes as an argument.

use std::fmt;

/// A point in time, in milliseconds of the Unix epoch, shown as RFC 3339 has it in UTC: `2026-11-29T07:00:00.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(i64);

impl DateTime {
    /// From milliseconds since the beginning of 1970. Years before 0 and behind 9999 are moved into that range.
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Self {
        const FIRST: i64 = -62_167_219_200_000;
        const LAST: i64 = 253_402_300_799_999;
        Self(ms.clamp(FIRST, LAST))
    }

    /// Year, month and day.
    #[must_use]
    pub const fn date(self) -> (i64, i64, i64) {
        // Days of eras of 400 years that begin on 1 March, so that leap days come last.
        let days = self.0.div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        (year, month, day)
    }

    /// Hour, minute, second and millisecond.
    #[must_use]
    pub const fn time(self) -> (i64, i64, i64, i64) {
        let ms = self.0.rem_euclid(86_400_000);
        (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second, ms)) = (self.date(), self.time());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_935_600_250, "2026-11-29T07:00:00.250Z"),
            (951_826_200_000, "2000-02-29T12:10:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(DateTime::from_unix_ms(ms).to_string(), text);
        }
    }
}
