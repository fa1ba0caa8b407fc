use super::*;

const UID: &str = "uid-store";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("time")
}

/// `count` entries, all of them synced.
fn serving(count: u64) -> Served {
    Served { keys: (0..count).collect(), held: HashSet::new() }
}

fn seen(count: u64, now: Timestamp) -> Seen<'static, impl Fn() -> Served> {
    Seen { uid: UID, said: None, allowed: false, now, served: move || serving(count) }
}

fn is_free(verdict: &Verdict) -> bool {
    *verdict == Verdict::Free
}

/// How many of the entries may go one after the other.
fn let_pass(guard: &Guard, count: u64, now: Timestamp) -> u64 {
    (0..count).filter(|key| is_free(&guard.may_remove(&seen(count, now), &[*key]))).count() as u64
}

#[test]
fn at_most_the_share_goes_and_few_are_not_guarded() {
    for (percent, served, expected) in [
        (20, 12, 2),
        (20, 10, 2),
        (20, 100, 20),
        (20, 9, 9),
        (1, 12, 0),
        (50, 10, 5),
        (99, 10, 9),
        (0, 12, 12),
        (100, 12, 12),
    ] {
        let passed = let_pass(&Guard::new(percent), served, at(0));
        assert_eq!(passed, expected, "{percent} % of {served}");
    }
}

#[test]
fn refusal_names_counts_and_annotation_stays_the_same_and_is_news_once() {
    let guard = Guard::new(20);
    assert_eq!(let_pass(&guard, 10, at(0)), 2);
    let fresh = Guard::new(20);
    let verdicts: Vec<_> = (0..5).map(|key| fresh.may_remove(&seen(10, at(0)), &[key])).collect();
    let texts: Vec<_> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Held { text, news } => Some((text.clone(), *news)),
            Verdict::Free => None,
        })
        .collect();
    assert_eq!(texts.iter().map(|(_, news)| *news).collect::<Vec<_>>(), [true, false, false]);
    assert!(texts.iter().all(|(text, _)| *text == texts[0].0), "{texts:?}");
    assert!(texts[0].0.contains("3 of the 10") && texts[0].0.contains("allow-deletions-until"), "{}", texts[0].0);
    assert!(guard.standing(&seen(10, at(1))).0.is_some());
}

#[test]
fn losses_apart_in_time_are_not_one_incident_but_what_is_held_stays_held() {
    let guard = Guard::new(20);
    assert!(is_free(&guard.may_remove(&seen(10, at(0)), &[0])));
    assert!(is_free(&guard.may_remove(&seen(10, at(30)), &[1])));
    assert!(is_free(&guard.may_remove(&seen(10, at(61)), &[2])), "the first was an hour ago");
    assert!(!is_free(&guard.may_remove(&seen(10, at(62)), &[3])));
    assert!(!is_free(&guard.may_remove(&seen(10, at(600)), &[3])), "time alone changes nothing");
}

#[test]
fn same_entry_counts_once() {
    let guard = Guard::new(20);
    for minute in 0..5 {
        assert!(is_free(&guard.may_remove(&seen(10, at(minute)), &[0, 1])));
    }
}

#[test]
fn recovery_wakes_those_that_wait_and_releases() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    assert_eq!(guard.found(&seen(12, at(1)), &[5]), News::TryAgain, "one is back: the others may be");
    assert_eq!(guard.found(&seen(12, at(1)), &[6]), News::None, "not for each of them");
    assert!(guard.standing(&seen(12, at(1))).0.is_some());
    for key in 0..9 {
        guard.found(&seen(12, at(2)), &[key]);
    }
    assert!(guard.standing(&seen(12, at(2))).0.is_some(), "three of twelve are more than a fifth");
    assert_eq!(guard.found(&seen(12, at(2)), &[9]), News::TryAgain);
    assert_eq!(guard.standing(&seen(12, at(2))), (None, News::None));
    assert!(!is_free(&guard.may_remove(&seen(12, at(2)), &[3])), "two are still lost: the next is one too many");
}

#[test]
fn what_nobody_refers_to_any_more_is_not_waited_for() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    let served = || Served { keys: (100..112).collect(), held: HashSet::new() };
    let none = Seen { uid: UID, said: None, allowed: false, now: at(1), served };
    assert_eq!(guard.standing(&none), (None, News::TryAgain));
}

#[test]
fn owner_can_allow_it_and_what_went_then_is_not_counted_later() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    let allowed = |now| Seen { allowed: true, ..seen(12, now) };
    assert_eq!(guard.standing(&allowed(at(1))), (None, News::TryAgain));
    assert!((2..12).all(|key| is_free(&guard.may_remove(&allowed(at(2)), &[key]))));
    assert!(guard.standing(&seen(12, at(30))).0.is_none());
    assert!(is_free(&guard.may_remove(&seen(12, at(31)), &[0])), "the next loss begins a new count");
}

#[test]
fn restart_holds_what_the_conditions_say_until_it_is_back() {
    let held = || Served { keys: (0..12).collect(), held: [10, 11].into() };
    let seen = |now| Seen { uid: UID, said: Some("held before"), allowed: false, now, served: held };
    let guard = Guard::new(20);
    assert_eq!(guard.found(&seen(at(0)), &[0, 1, 2]), News::None, "those were never lost");
    assert_eq!(guard.standing(&seen(at(0))).0.as_deref(), Some("held before"));
    let verdict = guard.may_remove(&seen(at(0)), &[10]);
    assert_eq!(verdict, Verdict::Held { text: "held before".into(), news: false });
    guard.found(&seen(at(1)), &[10]);
    assert!(guard.standing(&seen(at(1))).0.is_some(), "the other one is still waited for");
    assert_eq!(guard.found(&seen(at(2)), &[11]), News::TryAgain);
    assert_eq!(guard.standing(&seen(at(2))).0, None, "also while the condition says what was");
}

#[test]
fn stores_are_apart_and_forgotten() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    let other = Seen { uid: "other", ..seen(12, at(0)) };
    assert!(is_free(&guard.may_remove(&other, &[0])));
    guard.forget(UID);
    assert!(guard.standing(&seen(12, at(0))).0.is_none());
}
