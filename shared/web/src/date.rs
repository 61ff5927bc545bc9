//! A moment as a person reads it.
//!
//! Both languages tell China's time: the visitors are WeChat's, and a page without a script cannot know another
//! clock. China has one zone and changes no clocks. English names it, since its readers may be elsewhere.

use time::OffsetDateTime;

use crate::language::Language;
use login::time::Timestamp;

/// How far China's clocks are ahead of UTC, in seconds.
const CHINA: i64 = 8 * 60 * 60;

/// Day and minute, in China's time.
#[must_use]
pub fn written(moment: Timestamp, language: Language) -> String {
    let seconds = i64::try_from(moment.epoch_seconds()).unwrap_or(i64::MAX).saturating_add(CHINA);
    let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds) else {
        // Beyond the year 9999.
        return moment.epoch_seconds().to_string();
    };
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute) = (time.hour(), time.minute());
    match language {
        Language::Chinese => format!("{year}年{}月{day}日 {hour:02}:{minute:02}", u8::from(month)),
        Language::English => {
            let month = month.to_string();
            let month = month.get(..3).unwrap_or_default();
            format!("{day} {month} {year}, {hour:02}:{minute:02} (UTC+8)")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `TZ=Asia/Shanghai date -d @SECONDS` says.
    #[test]
    fn a_moment_is_chinas_in_both_languages() {
        for (seconds, chinese, english) in [
            (0, "1970年1月1日 08:00", "1 Jan 1970, 08:00 (UTC+8)"),
            (951_753_600, "2000年2月29日 00:00", "29 Feb 2000, 00:00 (UTC+8)"),
            (1_795_755_900, "2026年11月27日 13:05", "27 Nov 2026, 13:05 (UTC+8)"),
            (1_798_732_799, "2026年12月31日 23:59", "31 Dec 2026, 23:59 (UTC+8)"),
            (1_798_732_800, "2027年1月1日 00:00", "1 Jan 2027, 00:00 (UTC+8)"),
            (4_107_513_600, "2100年3月1日 00:00", "1 Mar 2100, 00:00 (UTC+8)"),
        ] {
            let moment = Timestamp::from_epoch_seconds(seconds);
            assert_eq!(written(moment, Language::Chinese), chinese);
            assert_eq!(written(moment, Language::English), english);
        }
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_a_number() {
        assert_eq!(written(Timestamp::from_epoch_seconds(u64::MAX), Language::English), u64::MAX.to_string());
    }
}
