use api::{external_secret::ExternalSecretSpec, plan::Refresh, reference::StoreKind, store::SecretStoreSpec};
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{provider::identity::StoreHandle, reconcile::external_secret::refresh};

fn identity(uid: &str) -> Identity {
    let store = StoreHandle {
        kind: StoreKind::SecretStore,
        name: "store".into(),
        namespace: Some("team".into()),
        uid: uid.into(),
        generation: 1,
        spec: Arc::new(SecretStoreSpec::default()),
    };
    Identity::of(&store, "team").expect("a store").expect("an identity")
}

fn key(number: usize) -> ObjectKey {
    ObjectKey::new("team", &format!("es-{number}"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

#[test]
fn those_of_an_identity_come_in_the_order_of_their_times() {
    let schedule = Schedule::default();
    for (number, time) in [(0, 30), (1, 10), (2, 20)] {
        schedule.rest(&key(number), identity("a"), at(time));
    }
    schedule.rest(&key(3), identity("b"), at(0));
    assert_eq!(schedule.next(&identity("a"), 9), [key(1), key(2), key(0)]);
    assert_eq!(schedule.next(&identity("a"), 1), [key(1)]);
    assert_eq!(schedule.next(&identity("b"), 9), [key(3)]);
    schedule.rest(&key(1), identity("b"), at(40));
    assert_eq!(schedule.next(&identity("a"), 9), [key(2), key(0)], "it asks as another now");
}

#[test]
fn whoever_has_a_turn_is_not_brought_forward() {
    let schedule = Schedule::default();
    schedule.rest(&key(0), identity("a"), at(0));
    assert!(!schedule.begin(&key(0)), "its time has come, or it has changed");
    assert!(!schedule.bring_forward(&key(0)), "or it is gone");
    schedule.rest(&key(0), identity("a"), at(0));
    assert!(schedule.bring_forward(&key(0)));
    assert!(!schedule.bring_forward(&key(0)), "once");
    assert!(schedule.next(&identity("a"), 9).is_empty());
    assert!(schedule.begin(&key(0)) && !schedule.begin(&key(0)), "told to one turn");
    assert!(schedule.lock().places.is_empty() && schedule.lock().resting.is_empty(), "nothing stays behind");
}

/// When each of `many` was refreshed, by number, and when calls went out, over some intervals; all times in seconds.
struct Played {
    calls: Vec<f64>,
    refreshes: Vec<Vec<f64>>,
}

/// As `entries` does it, with a backend that answers at once: whoever is due first opens a call, and what is next fills it.
fn play(many: usize, interval: &str, starts: impl Fn(usize) -> f64, until: f64) -> Played {
    const MOST: usize = 20;
    let spec: ExternalSecretSpec =
        serde_json::from_value(json!({"refreshInterval": interval, "secretStoreRef": {"name": "s"}})).expect("a spec");
    let refresh = Refresh::of(&spec).expect("an interval");
    let (schedule, whose) = (Schedule::default(), identity("a"));
    let after = |seconds: f64| at(0) + SignedDuration::from_secs_f64(seconds);
    let seconds = |time: Timestamp| time.duration_since(at(0)).as_secs_f64();
    let mut status: Vec<api::external_secret::ExternalSecretStatus> = Vec::new();
    let mut played = Played { calls: Vec::new(), refreshes: vec![Vec::new(); many] };
    let mut due: BTreeSet<(Timestamp, usize)> = BTreeSet::new();
    let synced = |now: Timestamp| {
        let ready = json!([{"type": "Ready", "status": "True", "reason": "SecretSynced"}]);
        let synced = json!({"refreshTime": now, "syncedResourceVersion": "1-x", "conditions": ready});
        serde_json::from_value(synced).expect("a status")
    };
    let rest = |number: usize, now: Timestamp, due: &mut BTreeSet<(Timestamp, usize)>| {
        let next = refresh::next_after(&refresh, &number.to_string(), now).expect("it is periodic");
        schedule.rest(&key(number), whose.clone(), next);
        due.insert((next, number));
        next
    };
    let mut times = Vec::new();
    for number in 0..many {
        let now = after(starts(number));
        status.push(synced(now));
        played.refreshes[number].push(seconds(now));
        times.push(rest(number, now, &mut due));
    }
    while let Some((now, first)) = due.first().copied().filter(|(now, _)| seconds(*now) < until) {
        assert!(!schedule.begin(&key(first)));
        let mut batch = vec![first];
        for next in schedule.next(&whose, MOST - 1) {
            let number: usize = next.name()[3..].parse().expect("a number");
            let uid = number.to_string();
            if refresh::may_be_brought_forward(&refresh, &uid, "1-x", &status[number], now) {
                assert!(schedule.bring_forward(&next) && schedule.begin(&next));
                batch.push(number);
            }
        }
        played.calls.push(seconds(now));
        for number in batch {
            due.remove(&(times[number], number));
            status[number] = synced(now);
            played.refreshes[number].push(seconds(now));
            times[number] = rest(number, now, &mut due);
        }
    }
    played
}

#[test]
fn calls_stay_full_and_no_refresh_comes_late_or_far_too_early_over_forty_intervals() {
    // How many there are, and whether all began together or evenly over an interval of a minute.
    for (many, together) in [(1000, true), (1000, false), (100, true), (100, false), (20, false), (7, false)] {
        let starts = |number: usize| {
            let place =
                f64::from(u32::try_from(number).expect("small")) / f64::from(u32::try_from(many).expect("small"));
            if together { place * 3.0 } else { place * 60.0 }
        };
        let played = play(many, "1m", starts, 2400.0);
        let case = format!("{many} together: {together}");
        for times in &played.refreshes {
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(
                gaps.clone().all(|gap| (41.0..=60.0).contains(&gap)),
                "{case}: {gaps:?}",
                gaps = gaps.collect::<Vec<_>>()
            );
        }
        let least = many.div_ceil(20);
        // In the long run; the first ten intervals are for finding together.
        let calls = played.calls.iter().filter(|at| **at > 600.0).count();
        let per_interval = u32::try_from(calls).map(f64::from).expect("small") / 30.0;
        // Few that are far apart stay apart: groups further from each other than refreshes may be brought forward.
        let most = if many < 80 { 4.0 } else { f64::from(u32::try_from(least).expect("small")) * 1.1 };
        assert!(per_interval <= most, "{case}: {per_interval} calls in an interval");
    }
}

#[test]
fn ten_thousand_that_are_spread_stay_spread() {
    let starts = |number: usize| f64::from(u32::try_from(number).expect("small")) * 0.006;
    let played = play(10_000, "1m", starts, 300.0);
    let mut counted = vec![0_u32; 300];
    let mut times: Vec<f64> = played.refreshes.into_iter().flatten().filter(|at| *at < 300.0).collect();
    times.sort_by(f64::total_cmp);
    let mut second = 0;
    for at in times {
        while at >= f64::from(u32::try_from(second).expect("small") + 1) {
            second += 1;
        }
        counted[second] += 1;
    }
    let last = &counted[120..];
    let (sum, most) = (last.iter().sum::<u32>(), last.iter().max().copied().unwrap_or_default());
    let mean = f64::from(sum) / 180.0;
    assert!(f64::from(most) <= 2.0 * mean, "{most} in one second, {mean} in the mean");
}
