use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn windows(kind: SyncWindowKind, windows: &[(&str, &str)]) -> Windows {
    let window = |(schedule, duration): &(&str, &str)| SyncWindow {
        schedule: (*schedule).to_owned(),
        duration: (*duration).to_owned(),
    };
    Windows::new(&SyncWindows { kind, windows: windows.iter().map(window).collect() }).expect("windows")
}

const NIGHT: (&str, &str) = ("0 22 * * *", "8h");

#[test]
fn window_is_open_from_its_firing_to_its_end_both_included() {
    for (at, open) in [
        ("2026-06-01T21:59:59.999999999Z", false),
        ("2026-06-01T22:00:00Z", true),
        ("2026-06-02T03:00:00Z", true),
        ("2026-06-02T06:00:00Z", true),
        ("2026-06-02T06:00:00.000000001Z", false),
        ("2026-06-02T12:00:00Z", false),
    ] {
        assert_eq!(windows(SyncWindowKind::Allow, &[NIGHT]).permit(time(at)), open, "{at}");
        assert_eq!(windows(SyncWindowKind::Deny, &[NIGHT]).permit(time(at)), !open, "{at}");
    }
}

#[test]
fn table_of_windows_at_noon_on_a_monday() {
    use SyncWindowKind::{Allow, Deny};
    let now = time("2026-06-01T12:00:00Z");
    for (kind, list, permitted) in [
        (Allow, &[("0 0 * * mon", "24h")][..], true),
        (Allow, &[("0 0 * * tue", "24h")], false),
        (Allow, &[("0 0 * * tue", "24h"), ("0 12 * * *", "1m")], true),
        (Deny, &[("0 0 * * tue", "24h"), ("0 12 * * *", "1m")], false),
        // Longer than the time between two firings.
        (Allow, &[("0 13 * * *", "100h")], true),
        (Deny, &[("0 13 * * *", "100h")], false),
        (Allow, &[("0 0 1 1 *", "8760h")], true),
        (Allow, &[("0 0 29 2 *", "2000000h")], true),
        // No such day.
        (Allow, &[("0 0 30 2 *", "2000000h")], false),
        (Deny, &[("0 0 30 2 *", "2000000h")], true),
        // Open for the moment of the firing, or not at all.
        (Allow, &[("0 12 * * *", "0s")], true),
        (Allow, &[("0 12 * * *", "-1ns")], false),
        (Deny, &[("* * * * *", "-1h")], true),
        // Counted from whenever one asks.
        (Allow, &[("@every 1h", "1h")], true),
        (Allow, &[("@every 1h", "59m")], false),
        (Deny, &[("@every 30m", "1h")], false),
        (Deny, &[("@every 2h", "1h")], true),
        (Allow, &[("@daily", "12h")], true),
        (Allow, &[("@hourly", "1m")], true),
        // Cannot be read.
        (Allow, &[("0 0 * * 7", "24h")], false),
        (Deny, &[("0 0 * * 7", "24h")], true),
        (Allow, &[("0 0 * * 7", "24h"), ("@hourly", "1h")], true),
        (Allow, &[], false),
        (Deny, &[], true),
    ] {
        assert_eq!(windows(kind, list).permit(now), permitted, "{kind:?} {list:?}");
    }
}

#[test]
fn next_opening_is_told_with_its_end() {
    use SyncWindowKind::{Allow, Deny};
    let now = time("2026-06-01T12:00:00Z");
    for (kind, list, expected) in [
        (Allow, &[NIGHT][..], Some(("2026-06-01T22:00:00Z", Some("2026-06-02T06:00:00Z")))),
        (Allow, &[NIGHT, ("30 20 * * *", "1h")], Some(("2026-06-01T20:30:00Z", Some("2026-06-01T21:30:00Z")))),
        (Allow, &[("0 0 29 2 *", "1h")], Some(("2028-02-29T00:00:00Z", Some("2028-02-29T01:00:00Z")))),
        (Allow, &[("0 0 30 2 *", "1h")], None),
        (Allow, &[("@every 2h", "1h")], None),
        (Allow, &[("0 22 * * *", "-1h")], None),
        (Allow, &[("nonsense", "1h")], None),
        (Deny, &[("0 11 * * *", "2h")], Some(("2026-06-01T13:00:00.000000001Z", Some("2026-06-02T11:00:00Z")))),
        // The second begins where the first ends.
        (
            Deny,
            &[("0 11 * * *", "2h"), ("0 13 * * *", "90m")],
            Some(("2026-06-01T14:30:00.000000001Z", Some("2026-06-02T11:00:00Z"))),
        ),
        (Deny, &[("0 12 1 6 *", "1h")], Some(("2026-06-01T13:00:00.000000001Z", Some("2027-06-01T12:00:00Z")))),
        (Deny, &[("@every 30m", "1h")], None),
    ] {
        let opening = windows(kind, list).opening_after(now);
        let expected = expected.map(|(at, until)| Opening { at: time(at), until: until.map(time) });
        assert_eq!(opening, expected, "{kind:?} {list:?}");
    }
}

#[test]
fn denial_without_a_gap_is_looked_into_again_later() {
    let now = time("2026-06-01T12:00:00Z");
    let always = windows(SyncWindowKind::Deny, &[("* * * * *", "1h")]);
    let opening = always.opening_after(now).expect("a time to look again");
    assert!(opening.at > now + SignedDuration::from_hours(90), "{opening:?}");
    assert!(!always.permit(opening.at), "and it is still closed then");
}

#[test]
fn opening_is_the_first_moment_that_is_permitted() {
    use SyncWindowKind::{Allow, Deny};
    for kind in [Allow, Deny] {
        for list in [&[NIGHT][..], &[("*/7 3-5 1,15 * mon", "90m")], &[("0 * * * *", "59m"), ("55 * * * *", "3m")]] {
            let windows = windows(kind, list);
            let mut at = time("2026-06-01T12:00:00Z");
            for _ in 0..50 {
                at += SignedDuration::from_mins(37);
                if windows.permit(at) {
                    continue;
                }
                let opening = windows.opening_after(at).expect("it opens again");
                assert!(opening.at > at && windows.permit(opening.at), "{list:?} {at} {opening:?}");
                assert!(!windows.permit(opening.at - TICK), "{list:?} {at} {opening:?}");
                assert!(opening.until.is_none_or(|until| windows.permit(until - TICK)), "{list:?} {at} {opening:?}");
            }
        }
    }
}
