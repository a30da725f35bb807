//! Times as people write them.

use anyhow::{Context, Result, bail};
use std::time::Duration;
use toml::value::{Datetime, Offset};

/// Microseconds since 1970, UTC, of an RFC 3339 time; a date alone is its midnight, and a time
/// without an offset is UTC.
pub fn unix_us(text: &str) -> Result<u64> {
    let time: Datetime = text.parse()?;
    let date = time.date.context("there is no date")?;
    let days = days(date.year.into(), date.month.into(), date.day.into());
    let mut seconds = days * 86_400;
    let mut us = 0;
    if let Some(time) = time.time {
        seconds += i64::from(time.hour) * 3600 + i64::from(time.minute) * 60;
        seconds += i64::from(time.second.unwrap_or(0));
        us = i64::from(time.nanosecond.unwrap_or(0)) / 1000;
    }
    if let Some(Offset::Custom { minutes }) = time.offset {
        seconds -= i64::from(minutes) * 60;
    }
    match u64::try_from(seconds * 1_000_000 + us) {
        Ok(us) => Ok(us),
        Err(_) => bail!("it is before 1970"),
    }
}

/// A duration of whole seconds, minutes or hours, such as `90s`, `1m` or `2h`; not zero.
pub fn duration(text: &str) -> Result<Duration> {
    let (count, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => bail!("a number and s, m or h"),
    };
    match count.parse::<u32>() {
        Ok(count @ 1..) => Ok(Duration::from_secs(u64::from(count) * seconds)),
        _ => bail!("a whole number, not 0, and s, m or h"),
    }
}

/// Time of day, UTC, to the second.
pub fn clock(unix_us: u64) -> String {
    let seconds = unix_us / 1_000_000 % 86_400;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the day that some of them have more is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{clock, duration, unix_us};
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_calendar() {
        let us = |text: &str| unix_us(text).expect("a time");
        assert_eq!(us("1970-01-01"), 0);
        assert_eq!(us("2000-03-01T00:00:00Z"), 951_868_800_000_000);
        assert_eq!(us("2024-02-29T12:30:15.25Z"), 1_709_209_815_250_000);
        assert_eq!(us("2026-11-28T11:00:00+01:00"), us("2026-11-28T10:00:00"));
        for text in ["1969-12-31", "12:30:00", "yesterday"] {
            assert!(unix_us(text).is_err(), "{text}");
        }
        assert_eq!(clock(us("2026-11-28T09:05:59.9Z")), "09:05:59");
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("1m", 60), ("2h", 7200)] {
            let expected = Duration::from_secs(seconds);
            assert_eq!(duration(text).expect("a duration"), expected);
        }
        for text in ["", "5", "0m", "1.5m", "m", "-1s", "1µ"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
