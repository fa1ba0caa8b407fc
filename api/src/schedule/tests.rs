use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

/// What robfig/cron 3.0.1 says: for each schedule the next firing after each of the times, or nothing for one that it
/// refuses.
#[derive(Deserialize)]
struct Robfig {
    times: Vec<Timestamp>,
    next: BTreeMap<String, Option<Vec<Option<Timestamp>>>>,
}

fn robfig() -> Robfig {
    serde_json::from_str(include_str!("robfig.json")).expect("the fixture")
}

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn same_texts_are_schedules_as_in_go() {
    for (text, next) in robfig().next {
        assert_eq!(text.parse::<Schedule>().is_ok(), next.is_some(), "{text:?}");
    }
}

#[test]
fn every_next_firing_is_gos() {
    let robfig = robfig();
    let mut compared = 0;
    for (text, next) in robfig.next.iter().filter_map(|(text, next)| Some((text, next.as_ref()?))) {
        for (after, next) in robfig.times.iter().zip(next) {
            assert_eq!(schedule(text).next_after(*after), *next, "{text:?} after {after}");
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn last_firing_is_the_one_that_has_no_other_between_it_and_the_next() {
    let robfig = robfig();
    let tick = SignedDuration::from_nanos(1);
    for (text, next) in robfig.next.iter().filter_map(|(text, next)| Some((text, next.as_ref()?))) {
        let schedule = schedule(text);
        if matches!(schedule, Schedule::Every(_)) {
            continue;
        }
        for (after, next) in robfig.times.iter().zip(next) {
            let Some(next) = *next else {
                assert!(schedule.ever_fires() || schedule.last_by(*after).is_none(), "{text:?}");
                continue;
            };
            assert_eq!(schedule.last_by(next), Some(next), "{text:?}");
            let Some(before) = schedule.last_by(next - tick) else { continue };
            assert!(before <= *after, "{text:?}: {before} is between {after} and {next}");
            assert_eq!(schedule.next_after(before), Some(next), "{text:?}: after {before}");
        }
    }
}

#[test]
fn schedule_without_a_possible_day_or_minute_never_fires() {
    for (text, expected) in [
        ("0 0 30 2 *", false),
        ("0 0 31 4,6,9,11 *", false),
        (", * * * *", false),
        ("* , * * *", false),
        ("* * * , *", false),
        ("* * , * *", false),
        ("0 0 30 2 1", true),
        ("0 0 29 2 *", true),
        ("0 0 30 1,2 *", true),
        ("@every 1h", true),
    ] {
        assert_eq!(schedule(text).ever_fires(), expected, "{text}");
    }
}

#[test]
fn search_ends_where_time_does() {
    for text in ["* * * * *", "0 0 29 2 *", "@every 2562047h"] {
        assert_eq!(schedule(text).next_after(Timestamp::MAX), None, "{text}");
        assert_eq!(schedule(text).last_by(Timestamp::MIN), None, "{text}");
    }
    assert_eq!(schedule("0 0 29 2 *").last_by(time("2104-02-28T00:00:00Z")), None, "2100 was no leap year");
}

#[test]
fn refusal_names_the_field_and_the_fault() {
    for (text, expected) in [
        ("* * *", "there must be 5 fields, not 3"),
        ("0 24 * * *", "hour \"24\" is not within 0 and 23"),
        ("0 0 0 * *", "day of month \"0\" is not within 1 and 31"),
        ("0 0 * * 7", "weekday \"7\" is not within 0 and 6"),
        ("0 0 * * fri-mon", "weekday \"fri-mon\" ends before it begins"),
        ("0 0 * january *", "month \"january\" is not understood"),
        ("*/0 * * * *", "minute \"*/0\" has a step of zero"),
        ("@reboot", "\"@reboot\" is no descriptor that is known here"),
        ("TZ=Europe/Paris 0 6 * * *", "a time zone cannot be named; times are in UTC"),
        (
            "@every day",
            "@every: \"day\" is not a duration; write numbers with the units h, m, s or ms, such as 1h, 90m or 1h30m, or 0",
        ),
    ] {
        assert_eq!(text.parse::<Schedule>().expect_err(text).to_string(), expected, "{text}");
    }
}
