//! Durations in Go's notation, as users write them: `1h`, `90m`, `1h0m0s`, `1.5h`, `300ms`, `0`.
//!
//! Parsing is checked arithmetic in nanoseconds and never panics: these texts come from watch events, where a panic
//! would end the process. The bounds are Go's, ±2^63 ns, about 292 years.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration that prints as it was written.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct GoDuration {
    text: String,
    nanoseconds: i64,
}

/// A text that is not a duration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// Not number and unit, again and again.
    #[error("{0:?} is not a duration")]
    Syntax(String),
    /// A number without a unit.
    #[error("{0:?} is not a duration: a number lacks its unit")]
    MissingUnit(String),
    /// More than about 292 years.
    #[error("{0:?} is longer than a duration can be (292 years)")]
    TooLong(String),
}

/// What to write instead of something that is not a duration.
pub const DURATION_ADVICE: &str = "write numbers with the units h, m, s or ms, such as 1h, 90m or 1h30m, or 0";

impl GoDuration {
    /// The duration, unless it is negative.
    pub fn as_std_opt(&self) -> Option<Duration> {
        u64::try_from(self.nanoseconds).ok().map(Duration::from_nanos)
    }

    /// The duration; a negative one counts as zero.
    pub fn as_std(&self) -> Duration {
        self.as_std_opt().unwrap_or_default()
    }

    /// The duration in nanoseconds.
    pub fn as_nanos(&self) -> i64 {
        self.nanoseconds
    }

    /// Whether it is neither positive nor negative.
    pub fn is_zero(&self) -> bool {
        self.nanoseconds == 0
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.nanoseconds < 0
    }

    /// The text it was written as.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Ok(Self { text: text.to_owned(), nanoseconds: parse(text)? })
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Nanoseconds of a text.
fn parse(text: &str) -> Result<i64, DurationError> {
    let syntax = || DurationError::Syntax(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if unsigned == "0" {
        return Ok(0);
    }
    if unsigned.is_empty() {
        return Err(syntax());
    }
    let mut rest = unsigned;
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(syntax());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(text.to_owned()));
        }
        let unit = nanoseconds_of(unit).ok_or_else(syntax)?;
        let part = scaled(whole, fraction, unit).ok_or_else(too_long)?;
        // Each part is below 2^64, and a text has far fewer than 2^63 parts: the sum cannot overflow.
        total += part;
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| too_long())
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn nanoseconds_of(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter mu look the same.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `whole.fraction` units in nanoseconds, rounded down; `None` beyond 2^64.
fn scaled(whole: &str, fraction: &str, unit: i128) -> Option<i128> {
    let whole = if whole.is_empty() { 0 } else { i128::from(whole.parse::<u64>().ok()?) };
    // Digits beyond the 18th are below a nanosecond even for hours.
    let fraction = &fraction[..fraction.len().min(18)];
    let mut nanoseconds = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        nanoseconds += i128::from(fraction.parse::<u64>().ok()?) * unit / scale;
    }
    (nanoseconds <= i128::from(u64::MAX)).then_some(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanoseconds(text: &str) -> i64 {
        text.parse::<GoDuration>().unwrap_or_else(|error| panic!("{text}: {error}")).nanoseconds
    }

    #[test]
    fn go_syntax_is_understood() {
        const SECOND: i64 = 1_000_000_000;
        for (text, expected) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("1h0m0s", 3600 * SECOND),
            ("1.5h", 5400 * SECOND),
            ("300ms", 300_000_000),
            ("-1s", -SECOND),
            ("+5s", 5 * SECOND),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("7ns", 7),
            (".5s", SECOND / 2),
            ("1.s", SECOND),
            ("1h1h", 7200 * SECOND),
            ("0.9999999999999999999999999h", 3600 * SECOND - 1),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_and_never_a_panic() {
        let long = "1".repeat(10_000);
        let many_hours = "9999999h".repeat(10_000);
        for text in [
            "",
            "-",
            "+",
            ".",
            "1",
            "1.",
            "h",
            "1d",
            "1 h",
            "1h ",
            "one hour",
            "1h-5m",
            "--1s",
            "1.2.3s",
            "é",
            "1é",
            "1µ",
            "99999999999999999999h",
            "9223372036854775808ns",
            "3000000h",
            "1e3s",
            "٣s",
            &long,
            &many_hours,
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_prints_as_written() {
        for text in ["1h0m0s", "60m", "1.50h", "0"] {
            let duration: GoDuration = serde_json::from_value(text.into()).unwrap();
            assert_eq!(duration.to_string(), text);
            assert_eq!(serde_json::to_value(&duration).unwrap(), text);
        }
    }

    #[test]
    fn negative_durations_have_no_std_form() {
        let negative: GoDuration = "-1s".parse().unwrap();
        assert_eq!(negative.as_std_opt(), None);
        assert_eq!(negative.as_std(), Duration::ZERO);
        assert!(negative.is_negative() && !negative.is_zero());
    }
}
