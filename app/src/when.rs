//! Calendar arithmetic for times that the server renders in UTC.
//!
//! The browser replaces them by local ones once it has taken over; both sides
//! must render the same text until then, so neither asks the platform.

use crate::model::Millis;

/// Milliseconds in a day.
pub const DAY: Millis = 86_400_000;

/// Year, month and day of the month of a number of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // The calendar repeats every 400 years, which are 146,097 days; counting years from 1 March puts the leap day last.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// `2026-11-23T12:41:05Z`.
pub fn iso(at: Millis) -> String {
    let (year, month, day) = civil(at.div_euclid(DAY));
    let second = at.rem_euclid(DAY) / 1_000;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// `12:41`.
pub fn utc_time(at: Millis) -> String {
    let minute = at.rem_euclid(DAY) / 60_000;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `23 November 2026`, of a number of days since 1970-01-01.
pub fn day_name(days: i64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let (year, month, day) = civil(days);
    let month = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or_default();
    format!("{day} {month} {year}")
}

/// The same of a moment, in UTC.
#[cfg(not(feature = "hydrate"))]
pub fn utc_day(at: Millis) -> String {
    day_name(at.div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(iso(1_795_437_665_000), "2026-11-23T12:41:05Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59Z");
        assert_eq!(utc_time(1_795_437_665_000), "12:41");
        assert_eq!(day_name(1_795_437_665_000 / DAY), "23 November 2026");
    }
}
