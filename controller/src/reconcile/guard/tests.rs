use super::*;

const UID: &str = "uid-store";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("time")
}

/// `count` entries, all of them synced.
fn serving(count: u64) -> Served {
    Served { keys: (0..count).collect(), ..Served::default() }
}

fn seen(count: u64, now: Timestamp) -> Seen<'static, impl Fn() -> Served> {
    Seen { uid: UID, said: None, allowed: false, now, served: move || serving(count) }
}

fn remove(guard: &Guard, seen: &Seen<'_, impl Fn() -> Served>, keys: &[u64]) -> Verdict {
    guard.may_remove(seen, &named(keys), None)
}

fn named(keys: &[u64]) -> Vec<Lost> {
    keys.iter().map(|key| Lost::named(*key)).collect()
}

fn is_free(verdict: &Verdict) -> bool {
    *verdict == Verdict::Free
}

/// How many of the entries may go one after the other.
fn let_pass(guard: &Guard, count: u64, now: Timestamp) -> u64 {
    (0..count).filter(|key| is_free(&remove(guard, &seen(count, now), &[*key]))).count() as u64
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
    let verdicts: Vec<_> = (0..5).map(|key| remove(&fresh, &seen(10, at(0)), &[key])).collect();
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
    assert!(is_free(&remove(&guard, &seen(12, at(0)), &[0])));
    assert!(is_free(&remove(&guard, &seen(12, at(30)), &[1])));
    assert!(is_free(&remove(&guard, &seen(12, at(61)), &[2])), "the first was an hour ago");
    assert!(!is_free(&remove(&guard, &seen(12, at(62)), &[3])));
    assert!(!is_free(&remove(&guard, &seen(12, at(600)), &[3])), "time alone changes nothing");
}

#[test]
fn same_entry_counts_once() {
    let guard = Guard::new(20);
    for minute in 0..5 {
        assert!(is_free(&remove(&guard, &seen(10, at(minute)), &[0, 1])));
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
    assert!(!is_free(&remove(&guard, &seen(12, at(2)), &[3])), "two are still lost: the next is one too many");
}

#[test]
fn what_nobody_refers_to_any_more_is_not_waited_for() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    let served = || Served { keys: (100..112).collect(), ..Served::default() };
    let none = Seen { uid: UID, said: None, allowed: false, now: at(1), served };
    assert_eq!(guard.standing(&none), (None, News::TryAgain));
}

#[test]
fn owner_can_allow_it_and_what_went_then_is_not_counted_later() {
    let guard = Guard::new(20);
    let_pass(&guard, 12, at(0));
    let allowed = |now| Seen { allowed: true, ..seen(12, now) };
    assert_eq!(guard.standing(&allowed(at(1))), (None, News::TryAgain));
    assert!((2..12).all(|key| is_free(&remove(&guard, &allowed(at(2)), &[key]))));
    assert!(guard.standing(&seen(12, at(30))).0.is_none());
    assert!(is_free(&remove(&guard, &seen(12, at(31)), &[0])), "the next loss begins a new count");
}

#[test]
fn restart_holds_what_the_conditions_say_until_it_is_back() {
    let missing = || [(9, at(-600))].into();
    let held = || Served { keys: (0..12).collect(), held: [10, 11].into(), missing: missing(), ..Served::default() };
    let said = Some(Said { text: "held before", since: Some(at(-10)) });
    let seen = |now| Seen { uid: UID, said, allowed: false, now, served: held };
    let guard = Guard::new(20);
    assert_eq!(guard.found(&seen(at(0)), &[0, 1, 2]), News::None, "those were never lost");
    assert_eq!(guard.standing(&seen(at(0))).0.as_deref(), Some("held before"));
    let verdict = remove(&guard, &seen(at(0)), &[10]);
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
    assert!(is_free(&remove(&guard, &other, &[0])));
    guard.forget(UID);
    assert!(guard.standing(&seen(12, at(0))).0.is_none());
}

#[test]
fn what_is_missing_without_anything_going_counts_and_holds() {
    let guard = Guard::new(20);
    let missing = |keys: &[u64], minute, since| guard.missing(&seen(72, at(minute)), &named(keys), at(since));
    assert_eq!(missing(&[70, 71], 0, -600), None, "long since");
    for key in 0..14 {
        assert_eq!(missing(&[key], 0, 0), None, "{key}");
        assert_eq!(missing(&[key], 1, 1), None, "told before");
    }
    let text = missing(&[14], 2, 2).expect("15 of 70 are more than a fifth");
    assert!(text.contains("15 of the 70"), "{text}");
    assert_eq!(remove(&guard, &seen(72, at(3)), &[60]), Verdict::Held { text, news: false });
    assert!(guard.standing(&seen(72, at(600))).0.is_some());
    for key in (0..15).chain([60]) {
        guard.found(&seen(72, at(601)), &[key]);
    }
    assert!(guard.standing(&seen(72, at(602))).0.is_none());
}

#[test]
fn those_that_went_before_are_not_served_and_those_that_went_just_now_were() {
    let guard = Guard::new(20);
    let now = |deleted: u64, minute| Seen {
        uid: UID,
        said: None,
        allowed: false,
        now: at(minute),
        served: move || Served { keys: (deleted..62).collect(), deleted: (0..deleted).collect(), ..Served::default() },
    };
    let allowed = Seen { allowed: true, ..now(0, 0) };
    assert!((0..50).all(|key| is_free(&remove(&guard, &allowed, &[key]))));
    // Of the twelve that are left, two are a fifth, whatever their ExternalSecrets say already.
    assert!(is_free(&remove(&guard, &now(50, 5), &[50])));
    assert!(is_free(&remove(&guard, &now(51, 6), &[51])));
    match remove(&guard, &now(52, 7), &[52]) {
        Verdict::Held { text, news: true } => assert!(text.contains("3 of the 12"), "{text}"),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn entries_that_were_left_out_for_long_are_not_served() {
    let guard = Guard::new(20);
    assert_eq!(guard.in_step(&seen(20, at(0)), None, &named(&(0..10).collect::<Vec<_>>())), News::None);
    assert!(is_free(&remove(&guard, &seen(20, at(1)), &[0, 10, 11])), "the first was left out before");
    match remove(&guard, &seen(20, at(2)), &[12]) {
        Verdict::Held { text, .. } => assert!(text.contains("3 of the 10"), "{text}"),
        verdict @ Verdict::Free => panic!("{verdict:?}"),
    }
}

/// A store with ten named entries and the ExternalSecrets 100 and 101, which search.
fn searched(minute: i64) -> Seen<'static, impl Fn() -> Served> {
    let served = || Served { keys: (0..10).collect(), searchers: [100, 101].into(), ..Served::default() };
    Seen { uid: UID, said: None, allowed: false, now: at(minute), served }
}

fn found(keys: std::ops::Range<u64>, explained: bool) -> Vec<Lost> {
    keys.map(|key| Lost::found(100, 1000 + key, explained)).collect()
}

#[test]
fn search_that_shrinks_loses_what_it_brought() {
    let guard = Guard::new(20);
    guard.in_step(&searched(0), Some((100, 30)), &[]);
    guard.in_step(&searched(0), Some((101, 10)), &[]);
    // Of fifty.
    assert!(is_free(&guard.may_remove(&searched(1), &found(0..8, false), Some((100, 30)))));
    assert!(
        is_free(&guard.may_remove(&searched(1), &found(0..8, false), Some((100, 30)))),
        "the write was tried again"
    );
    guard.in_step(&searched(1), Some((100, 22)), &[]);
    match guard.may_remove(&searched(2), &found(8..11, false), Some((100, 22))) {
        Verdict::Held { text, news: true } => assert!(text.contains("11 of the 50"), "{text}"),
        verdict => panic!("{verdict:?}"),
    }
    assert!(!is_free(&guard.may_remove(&searched(3), &found(8..9, true), Some((100, 22)))), "whatever may explain it");
    assert_eq!(guard.in_step(&searched(4), Some((100, 22)), &[]), News::TryAgain, "they are back");
    assert!(guard.standing(&searched(5)).0.is_none());
}

#[test]
fn after_a_restart_the_target_tells_how_much_a_search_had_brought() {
    let guard = Guard::new(20);
    assert!(is_free(&guard.may_remove(&searched(0), &found(0..5, false), Some((100, 30)))));
    let fresh = Guard::new(20);
    match fresh.may_remove(&searched(0), &[Lost::search(100, 30)], Some((100, 30))) {
        Verdict::Held { text, .. } => assert!(text.contains("30 of the 41"), "{text}"),
        verdict @ Verdict::Free => panic!("{verdict:?}"),
    }
}

#[test]
fn what_an_edit_explains_is_no_loss() {
    let guard = Guard::new(20);
    assert!(is_free(&guard.may_remove(&searched(0), &found(0..30, true), Some((100, 30)))));
    assert!(guard.standing(&searched(0)).0.is_none());
}
