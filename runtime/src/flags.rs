//! Command lines that users of the Go operator already have.
//!
//! [`parse`] makes clap behave like cobra where it differs: every boolean may be written `--flag`, `--flag=true` or
//! `--flag=false` (with Go's spellings of a boolean), and flags that upstream knows but this build has no use for are
//! accepted, with or without a value, and reported by [`Parsed::warn`]. A flag that nobody knows is an error of clap,
//! with the closest known name.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};

/// A parsed command line.
#[derive(Debug)]
pub struct Parsed<A> {
    pub args: A,
    /// Upstream flags that were given and have no effect in this build.
    pub ignored: Vec<&'static str>,
}

impl<A> Parsed<A> {
    /// One warning per ignored flag. Separate from parsing because logging is configured by flags.
    pub fn warn(&self) {
        for flag in &self.ignored {
            tracing::warn!(flag = format!("--{flag}"), "this flag of the Go operator has no effect here; remove it");
        }
    }
}

/// Parses the process's own command line; `--help`, `--version` and errors end the process as clap does.
///
/// `accepted`: names, without dashes, of upstream flags that are known and unused.
pub fn parse<A: Parser>(accepted: &[&'static str]) -> Parsed<A> {
    parse_from(std::env::args_os(), accepted).unwrap_or_else(|error| error.exit())
}

/// As [`parse`], from given words, the first of which is the program's name.
pub fn parse_from<A: Parser>(
    words: impl IntoIterator<Item = OsString>,
    accepted: &[&'static str],
) -> Result<Parsed<A>, clap::Error> {
    let mut matches = command::<A>(accepted).try_get_matches_from(words)?;
    let ignored = accepted.iter().copied().filter(|name| given(&matches, name)).collect();
    Ok(Parsed { args: A::from_arg_matches_mut(&mut matches)?, ignored })
}

/// A boolean as Go's flag package reads it.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// A Go duration such as `5m`, `1h30m`, `1.5s` or `250ms`, for `#[arg(value_parser = flags::duration)]`.
///
/// Never negative, at most about 292 years (what Go can hold).
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 30s, 5m or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total: u128 = 0; // nanoseconds
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let part = nanoseconds(number, unit).ok_or_else(wrong)?;
        total = total.checked_add(part).filter(|sum| *sum <= i64::MAX as u128).ok_or_else(wrong)?;
        rest = tail;
    }
    match u64::try_from(total) {
        Ok(nanos) if !text.is_empty() && text != "+" => Ok(Duration::from_nanos(nanos)),
        _ => Err(wrong()),
    }
}

fn nanoseconds(number: &str, unit: &str) -> Option<u128> {
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { u128::from(whole.parse::<u64>().ok()?) };
    let mut value = whole.checked_mul(unit)?;
    let mut scale = unit;
    for digit in fraction.chars() {
        scale /= 10;
        value = value.checked_add(u128::from(digit.to_digit(10)?) * scale)?;
    }
    Some(value)
}

fn command<A: Parser>(accepted: &[&'static str]) -> Command {
    let command = A::command().mut_args(like_cobra);
    accepted.iter().fold(command, |command, name| command.arg(unused(name)))
}

fn like_cobra(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    let arg = if arg.get_default_values().is_empty() { arg.default_value("false") } else { arg };
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("true|false")
        .value_parser(ValueParser::new(boolean))
}

fn unused(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .hide(true)
        .num_args(0..=1)
        .default_missing_value("")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(OsString))
}

fn given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "x")]
    struct Args {
        #[arg(long)]
        enable_http2: bool,
        #[arg(long, default_value_t = true)]
        enable_flood_gate: bool,
        #[arg(long, default_value = "5m", value_parser = duration)]
        check_interval: Duration,
    }

    fn words(line: &str) -> Result<Parsed<Args>, clap::Error> {
        let accepted = ["metrics-auth", "metrics-cert-dir"];
        parse_from(std::iter::once("x").chain(line.split_whitespace()).map(OsString::from), &accepted)
    }

    #[test]
    fn booleans_are_read_as_cobra_reads_them() {
        let none = words("").unwrap().args;
        assert!(!none.enable_http2 && none.enable_flood_gate);
        let set = words("--enable-http2 --enable-flood-gate=false").unwrap().args;
        assert!(set.enable_http2 && !set.enable_flood_gate);
        assert!(words("--enable-http2=T").unwrap().args.enable_http2);
        assert!(words("--enable-http2=maybe").is_err());
    }

    #[test]
    fn known_unused_flags_are_reported_with_and_without_a_value() {
        for line in ["--metrics-auth", "--metrics-auth=false", "--metrics-auth --enable-http2"] {
            assert_eq!(words(line).unwrap().ignored, ["metrics-auth"], "{line}");
        }
        assert_eq!(words("--metrics-cert-dir /certs --metrics-auth").unwrap().ignored.len(), 2);
        assert!(words("--metrics-auth --enable-http2").unwrap().args.enable_http2);
    }

    #[test]
    fn unknown_flag_is_an_error_with_a_suggestion() {
        let error = words("--enable-http3").unwrap_err().to_string();
        assert!(error.contains("--enable-http2"), "{error}");
    }

    #[test]
    fn durations_are_gos() {
        let cases = [("5m", 300_000), ("1h30m", 5_400_000), ("1.5s", 1_500), ("250ms", 250), ("0", 0), (".5s", 500)];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "+", "5", "m", "-5m", "5 m", "1d", "99999999999999999999h", "9999999999h", ".s", "1..5s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(words("--check-interval=10s").unwrap().args.check_interval, Duration::from_secs(10));
    }
}
