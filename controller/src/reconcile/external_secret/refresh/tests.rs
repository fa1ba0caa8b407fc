use api::{external_secret::ExternalSecretSpec, names::condition_reason::SECRET_SYNCED};
use serde_json::json;

use super::*;
use crate::error::Error;

fn plan(policy: &str, creation: &str, interval: &str) -> Plan {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({
        "secretStoreRef": {"name": "store"},
        "refreshPolicy": policy,
        "refreshInterval": interval,
        "target": {"creationPolicy": creation},
        "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}],
    }))
    .expect("spec");
    Plan::new("es", &spec).expect("plan")
}

fn status(synced_at: &str, version: &str, reason: &str) -> ExternalSecretStatus {
    serde_json::from_value(json!({
        "refreshTime": synced_at, "syncedResourceVersion": version,
        "conditions": [{"type": "Ready", "status": "True", "reason": reason}],
    }))
    .expect("status")
}

const LABEL: &str = "hash of the author";

/// The hash of no data.
const EMPTY: &str = "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b";

fn managed(intact: bool, owner: &str) -> Managed {
    let recorded = if intact { EMPTY } else { "another" };
    let secret = serde_json::from_value::<k8s_openapi::api::core::v1::Secret>(json!({
        "metadata": {
            "name": "es", "namespace": "n", "uid": "s", "resourceVersion": "1",
            "annotations": {"reconcile.external-secrets.io/data-hash": recorded},
            "labels": {"reconcile.external-secrets.io/created-by": LABEL},
            "ownerReferences": [
                {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "es", "uid": owner, "controller": true}
            ],
        },
    }))
    .expect("secret");
    Managed::from(&secret)
}

const NOW: &str = "2026-01-01T12:00:00Z";

fn seen<'a>(uid: &'a str, status: &'a ExternalSecretStatus, target: Option<&'a Managed>) -> Seen<'a> {
    Seen {
        me: Identity { uid, label: LABEL },
        version: "1-x",
        status,
        target,
        part: None,
        binds: true,
        retained: "nothing",
        templates_are_newer: false,
        stores_are_newer: false,
        is_brought_forward: false,
    }
}

fn verdict(plan: &Plan, status: &ExternalSecretStatus, target: Option<&Managed>) -> Due {
    due(plan, &seen("uid", status, target), NOW.parse().expect("time"))
}

#[test]
fn what_failed_without_being_due_is_over_when_all_is_as_it_was_synced() {
    let synced = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    let mut failed = synced.clone();
    failed.conditions[0].status = "False".into();
    let target = managed(true, "uid");
    for policy in ["CreatedOnce", "OnChange", "Periodic"] {
        let plan = plan(policy, "Owner", "1h");
        let (then, over) = (verdict(&plan, &synced, Some(&target)), verdict(&plan, &failed, Some(&target)));
        match then {
            Due::At(at) => assert_eq!(over, Due::Over(Some(at)), "{policy}"),
            then => assert_eq!((then, over), (Due::Never, Due::Over(None)), "{policy}"),
        }
        assert!(matches!(verdict(&plan, &failed, Some(&managed(false, "uid"))), Due::Now(_)), "{policy}");
    }
    failed.conditions[0].message = "DeletionsHeld: wait".into();
    let held = verdict(&plan("Periodic", "Owner", "1h"), &failed, Some(&target));
    assert_eq!(held, Due::Now(Reason::DeletionsHeld), "entries are missing, whatever made it look");
    // A refresh that time has made due and that failed is not over, whatever the windows say.
    failed.refresh_time = status("2026-01-01T10:00:00Z", "1-x", SECRET_SYNCED).refresh_time;
    assert!(matches!(verdict(&plan("Periodic", "Owner", "1h"), &failed, Some(&target)), Due::Now(_)));
}

#[test]
fn owner_label_of_another_is_drift_where_it_would_keep_a_renamed_secret() {
    let synced = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    let target = managed(true, "uid");
    let verdict = |creation: &str| {
        let seen =
            Seen { me: Identity { uid: "uid", label: "of somebody else" }, ..seen("uid", &synced, Some(&target)) };
        due(&plan("Periodic", creation, "1h"), &seen, NOW.parse().expect("time"))
    };
    assert_eq!(verdict("Owner"), Due::Now(Reason::TargetDrifted));
    assert!(matches!(verdict("Orphan"), Due::At(_)));
}

#[test]
fn every_policy_refreshes_what_was_never_synced() {
    for policy in ["CreatedOnce", "OnChange", "Periodic"] {
        let never = ExternalSecretStatus::default();
        assert_eq!(verdict(&plan(policy, "Owner", "1h"), &never, None), Due::Now(Reason::NeverSynced), "{policy}");
    }
}

#[test]
fn table_of_synced_objects() {
    let good = managed(true, "uid");
    let recent = "2026-01-01T11:59:00Z";
    let old = "2026-01-01T10:00:00Z";
    for (policy, interval, synced_at, version, expected) in [
        ("CreatedOnce", "1h", old, "0-x", Due::Never),
        ("OnChange", "1h", old, "1-x", Due::Never),
        ("OnChange", "1h", recent, "0-x", Due::Now(Reason::SpecOrMetadataChanged)),
        ("Periodic", "0", old, "0-x", Due::Never),
        ("Periodic", "-5s", old, "0-x", Due::Never),
        ("Periodic", "1h", recent, "0-x", Due::Now(Reason::SpecOrMetadataChanged)),
        ("Periodic", "1h", old, "1-x", Due::Now(Reason::IntervalElapsed)),
        ("Periodic", "1h", "2026-01-01T13:00:00Z", "1-x", Due::Now(Reason::RefreshTimeInFuture)),
    ] {
        let status = status(synced_at, version, SECRET_SYNCED);
        let plan = plan(policy, "Owner", interval);
        assert_eq!(verdict(&plan, &status, Some(&good)), expected, "{policy} {interval} {synced_at} {version}");
    }
}

#[test]
fn waiting_object_is_due_inside_the_last_part_of_its_interval_and_never_past_it() {
    let plan = plan("Periodic", "Owner", "1h");
    let status = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    let end: Timestamp = "2026-01-01T12:59:00Z".parse().expect("time");
    let start: Timestamp = "2026-01-01T12:56:00Z".parse().expect("time");
    for uid in ["a", "b", "c", "d", "e"] {
        let managed = managed(true, uid);
        let Due::At(at) = due(&plan, &seen(uid, &status, Some(&managed)), NOW.parse().expect("time")) else {
            panic!("{uid} must wait")
        };
        assert!(at >= start && at <= end, "{uid}: {at}");
    }
}

#[test]
fn table_of_targets() {
    let synced = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    let missing = status("2026-01-01T11:59:00Z", "1-x", SECRET_MISSING);
    let (good, edited, stolen) = (managed(true, "uid"), managed(false, "uid"), managed(true, "other"));
    let mut unlabelled = good.clone();
    unlabelled.created_by = None;
    for (creation, status, target, expected) in [
        ("Owner", &synced, None, Some(Reason::TargetMissing)),
        ("Owner", &synced, Some(&edited), Some(Reason::TargetDrifted)),
        ("Owner", &synced, Some(&stolen), Some(Reason::TargetDrifted)),
        ("Owner", &synced, Some(&unlabelled), Some(Reason::TargetDrifted)),
        ("Owner", &synced, Some(&good), None),
        ("CreateOrMerge", &synced, Some(&stolen), None),
        ("CreateOrMerge", &synced, Some(&unlabelled), None),
        ("Orphan", &synced, None, None),
        ("Orphan", &synced, Some(&edited), None),
        ("None", &synced, None, None),
        ("Merge", &synced, None, Some(Reason::TargetMissing)),
        ("Merge", &missing, None, None),
        ("Merge", &synced, Some(&edited), Some(Reason::TargetDrifted)),
    ] {
        let got = match verdict(&plan("Periodic", creation, "1h"), status, target) {
            Due::Now(reason) => Some(reason),
            _ => None,
        };
        assert_eq!(got, expected, "{creation} {target:?}");
    }
}

#[test]
fn what_merges_awaits_a_target_only_after_it_found_none() {
    let (synced, missing) =
        (status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED), status("2026-01-01T11:59:00Z", "1-x", SECRET_MISSING));
    let of_kind = status("2026-01-01T11:59:00Z", "1-x", "ResourceMissing");
    let good = managed(true, "uid");
    for (creation, status, target, expected) in [
        ("Merge", &missing, None, true),
        ("Merge", &of_kind, None, true),
        ("Merge", &missing, Some(&good), false),
        ("Merge", &synced, None, false),
        ("CreateOrMerge", &missing, None, false),
    ] {
        let plan = plan("CreatedOnce", creation, "1h");
        assert_eq!(awaits_target(&plan, &seen("uid", status, target)), expected, "{creation} {target:?}");
    }
}

/// As upstream: a policy that fetches once keeps what it has fetched, whatever became of it later.
#[test]
fn what_failed_after_a_sync_is_over_once_the_policy_fetches_no_more() {
    let mut failed = status("2026-01-01T11:59:00Z", "1-x", "SecretSyncedError");
    failed.conditions[0].status = "False".into();
    let good = managed(true, "uid");
    for (policy, interval, version, expected) in [
        ("CreatedOnce", "1h", "0-x", Due::Over(None)),
        ("Periodic", "0", "0-x", Due::Over(None)),
        ("OnChange", "1h", "0-x", Due::Now(Reason::SpecOrMetadataChanged)),
        ("CreatedOnce", "1h", "", Due::Now(Reason::NeverSynced)),
        ("Periodic", "0", "", Due::Now(Reason::NeverSynced)),
    ] {
        failed.synced_resource_version = Some(version.into());
        let got = verdict(&plan(policy, "Owner", interval), &failed, Some(&good));
        assert_eq!(got, expected, "{policy} {interval} {version}");
    }
}

#[test]
fn created_once_still_repairs_its_target() {
    let status = status("2026-01-01T11:59:00Z", "0-x", SECRET_SYNCED);
    assert_eq!(verdict(&plan("CreatedOnce", "Owner", "1h"), &status, None), Due::Now(Reason::TargetMissing));
}

#[test]
fn changed_templates_are_a_reason_unless_the_policy_fetches_once() {
    let good = managed(true, "uid");
    let at = |text: &str| Due::At(text.parse().expect("time"));
    for (policy, interval, synced_at, expected) in [
        ("CreatedOnce", "1h", "2026-01-01T11:59:00Z", Due::Never),
        ("Periodic", "0", "2026-01-01T11:59:00Z", Due::Never),
        ("OnChange", "1h", "2026-01-01T11:59:00Z", Due::Now(Reason::TemplatesChanged)),
        ("Periodic", "1h", "2026-01-01T11:59:00Z", Due::Now(Reason::TemplatesChanged)),
        ("Periodic", "1h", "2026-01-01T11:59:57Z", Due::Now(Reason::TemplatesChanged)),
        ("Periodic", "1h", "2026-01-01T11:59:59Z", at("2026-01-01T12:00:02Z")),
        ("OnChange", "1h", "2026-01-01T12:00:00Z", at("2026-01-01T12:00:03Z")),
        ("OnChange", "1h", "2026-01-01T13:00:00Z", Due::Now(Reason::TemplatesChanged)),
    ] {
        let status = status(synced_at, "1-x", SECRET_SYNCED);
        let seen = Seen { templates_are_newer: true, ..seen("uid", &status, Some(&good)) };
        let got = due(&plan(policy, "Owner", interval), &seen, NOW.parse().expect("time"));
        assert_eq!(got, expected, "{policy} {interval} {synced_at}");
    }
}

#[test]
fn changed_store_is_a_reason_where_values_are_refreshed() {
    let good = managed(true, "uid");
    for (policy, interval, due_now) in
        [("CreatedOnce", "1h", false), ("OnChange", "1h", false), ("Periodic", "0", false), ("Periodic", "1h", true)]
    {
        let status = status("2026-01-01T11:59:59Z", "1-x", SECRET_SYNCED);
        let seen = Seen { stores_are_newer: true, ..seen("uid", &status, Some(&good)) };
        let got = due(&plan(policy, "Owner", interval), &seen, NOW.parse().expect("time"));
        assert_eq!(got == Due::Now(Reason::StoreChanged), due_now, "{policy} {interval}: {got:?}");
    }
}

/// At noon, of objects that were synced two hours before with an interval of one.
fn verdict_in(kind: &str, windows: &[(&str, &str)], uid: &str) -> Due {
    let windows: Vec<_> = windows.iter().map(|(at, lasts)| json!({"schedule": at, "duration": lasts})).collect();
    let spec: ExternalSecretSpec = serde_json::from_value(json!({
        "secretStoreRef": {"name": "store"},
        "syncWindows": {"kind": kind, "windows": windows},
        "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}],
    }))
    .expect("spec");
    let (plan, managed) = (Plan::new("es", &spec).expect("plan"), managed(true, uid));
    let status = status("2026-01-01T10:00:00Z", "1-x", SECRET_SYNCED);
    due(&plan, &seen(uid, &status, Some(&managed)), NOW.parse().expect("time"))
}

#[test]
fn interval_that_is_over_waits_for_the_windows() {
    for (kind, windows, expected) in [
        ("allow", &[("0 11 * * *", "2h")][..], Due::Now(Reason::IntervalElapsed)),
        ("deny", &[("0 13 * * *", "2h")], Due::Now(Reason::IntervalElapsed)),
        ("allow", &[("0 0 30 2 *", "1h")], Due::Never),
        ("allow", &[("@every 2h", "1h")], Due::Never),
        ("deny", &[("@every 1h", "2h")], Due::Never),
    ] {
        assert_eq!(verdict_in(kind, windows, "uid"), expected, "{kind} {windows:?}");
    }
}

#[test]
fn refreshes_that_waited_for_an_opening_are_spread_over_its_beginning() {
    for (kind, window, opens, most) in [
        // A twentieth of the interval, and of the window where that is shorter.
        ("allow", ("0 22 * * *", "8h"), "2026-01-01T22:00:00Z", 180),
        ("allow", ("0 22 * * *", "10m"), "2026-01-01T22:00:00Z", 30),
        ("deny", ("0 11 * * *", "2h"), "2026-01-01T13:00:00Z", 181),
        ("deny", ("30 * * * *", "50m"), "2026-01-01T12:20:00Z", 31),
    ] {
        let opens: Timestamp = opens.parse().expect("time");
        let mut waits = Vec::new();
        for uid in ["a", "b", "c", "d", "e"] {
            let Due::At(at) = verdict_in(kind, &[window], uid) else { panic!("{window:?} must be waited for") };
            assert!(at >= opens && at <= opens + SignedDuration::from_secs(most), "{kind} {window:?}: {at}");
            waits.push(at);
        }
        waits.dedup();
        assert!(waits.len() > 1, "{waits:?}");
    }
}

#[test]
fn windows_hold_up_nothing_but_the_interval() {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({
        "secretStoreRef": {"name": "store"},
        "syncWindows": {"kind": "allow", "windows": [{"schedule": "0 0 30 2 *", "duration": "1h"}]},
        "data": [{"secretKey": "a", "remoteRef": {"key": "k"}}],
    }))
    .expect("spec");
    let plan = Plan::new("es", &spec).expect("plan");
    let (good, edited) = (managed(true, "uid"), managed(false, "uid"));
    let old = "2026-01-01T10:00:00Z";
    for (status, target, expected) in [
        (ExternalSecretStatus::default(), None, Due::Now(Reason::NeverSynced)),
        (status(old, "0-x", SECRET_SYNCED), Some(&good), Due::Now(Reason::SpecOrMetadataChanged)),
        (status(old, "1-x", SECRET_SYNCED), Some(&edited), Due::Now(Reason::TargetDrifted)),
        (status(old, "1-x", SECRET_SYNCED), None, Due::Now(Reason::TargetMissing)),
        (status("2026-01-01T13:00:00Z", "1-x", SECRET_SYNCED), Some(&good), Due::Now(Reason::RefreshTimeInFuture)),
        (status(old, "1-x", SECRET_SYNCED), Some(&good), Due::Never),
    ] {
        assert_eq!(verdict(&plan, &status, target), expected);
    }
    let synced = status(old, "1-x", SECRET_SYNCED);
    let rendered = Seen { templates_are_newer: true, ..seen("uid", &synced, Some(&good)) };
    assert_eq!(due(&plan, &rendered, NOW.parse().expect("time")), Due::Now(Reason::TemplatesChanged));
    let moved = Seen { stores_are_newer: true, ..seen("uid", &synced, Some(&good)) };
    assert_eq!(due(&plan, &moved, NOW.parse().expect("time")), Due::Never, "values may not change now");
}

#[test]
fn edits_beside_what_is_ours_are_no_drift_where_others_write_too() {
    let synced = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    for creation in ["Merge", "CreateOrMerge"] {
        for (intact, part, drifted) in [
            (false, None, true),
            (false, Some(Part::Whole), false),
            (false, Some(Part::Changed), true),
            (false, Some(Part::Gone), true),
            (true, None, false),
            (true, Some(Part::Whole), false),
            (true, Some(Part::Changed), false),
            (true, Some(Part::Gone), true),
        ] {
            let target = managed(intact, "another");
            let seen = Seen { part, ..seen("uid", &synced, Some(&target)) };
            let due = due(&plan("Periodic", creation, "1h"), &seen, NOW.parse().expect("time"));
            assert_eq!(due == Due::Now(Reason::TargetDrifted), drifted, "{creation} {intact} {part:?}");
        }
    }
}

#[test]
fn what_was_retained_for_want_of_values_is_not_asked_for_again() {
    let mut retained = status("2026-01-01T11:59:00Z", "1-x", SECRET_SYNCED);
    let (ours, theirs) = (managed(false, "uid"), managed(false, "another"));
    for (message, version, target, expected) in [
        ("nothing; it is retained", "1-x", None, None),
        ("nothing; it is retained", "1-x", Some(&theirs), None),
        ("nothing; it is retained", "1-x", Some(&ours), Some(Reason::TargetDrifted)),
        (RETAINED_BY_GO, "1-x", None, None),
        ("secret synced", "1-x", None, Some(Reason::TargetMissing)),
        ("nothing; it is retained", "0-x", None, Some(Reason::TargetMissing)),
    ] {
        retained.conditions[0].message = message.into();
        retained.synced_resource_version = Some(version.into());
        let due = verdict(&plan("Periodic", "Owner", "1h"), &retained, target);
        match expected {
            Some(reason) => assert_eq!(due, Due::Now(reason), "{message} {version}"),
            None => assert!(matches!(due, Due::At(_)), "{message} {version}: {due:?}"),
        }
    }
}

#[test]
fn target_to_merge_into_that_is_there_by_now_is_written_whoever_made_it() {
    let missing = status("2026-01-01T11:59:00Z", "1-x", "SecretMissing");
    let another_s = managed(true, "another");
    for policy in ["Periodic", "OnChange", "CreatedOnce"] {
        let plan = plan(policy, "Merge", "1h");
        assert_eq!(verdict(&plan, &missing, Some(&another_s)), Due::Now(Reason::TargetAppeared), "{policy}");
        assert!(!matches!(verdict(&plan, &missing, None), Due::Now(_)), "{policy}");
    }
}

#[test]
fn failure_to_write_a_target_that_appeared_is_not_over_before_it_is_written() {
    let mut failed = status("2026-01-01T11:59:00Z", "1-x", "SecretSyncedError");
    failed.conditions[0].status = "False".into();
    let plan = plan("CreatedOnce", "Merge", "1h");
    let (of_another, mut target) = (managed(true, "another"), managed(true, ""));
    target.owner_uid = None;
    assert_eq!(verdict(&plan, &failed, Some(&target)), Due::Now(Reason::TargetAppeared));
    failed.binding = Some(api::external_secret::Binding { name: "es".into() });
    assert_eq!(verdict(&plan, &failed, Some(&target)), Due::Over(None));
    assert_eq!(verdict(&plan, &failed, Some(&of_another)), Due::Now(Reason::TargetAppeared), "whatever failed last");
    // Upstream binds what it has tried to write, too.
    for code in REFUSED_BY_TARGET {
        failed.conditions[0].message = Error::wait(code, "it is another's").to_string();
        assert_eq!(verdict(&plan, &failed, Some(&target)), Due::Now(Reason::TargetAppeared), "{code:?}");
        assert_ne!(verdict(&plan, &failed, None), Due::Now(Reason::TargetAppeared), "{code:?}");
    }
}

#[test]
fn rename_that_was_not_told_of_is_finished_under_every_policy() {
    let ours = managed(true, "uid");
    for (policy, interval) in [("CreatedOnce", "1h"), ("Periodic", "0"), ("OnChange", "1h")] {
        for (former, version, expected) in [
            (Some("former"), "0-x", Some(Reason::TargetUnrecorded)),
            (Some("former"), "1-x", None),
            (Some("es"), "0-x", None),
            (None, "0-x", None),
        ] {
            let mut synced = status("2026-01-01T11:59:00Z", version, SECRET_SYNCED);
            synced.binding = former.map(|name| api::external_secret::Binding { name: name.into() });
            let due = verdict(&plan(policy, "Owner", interval), &synced, Some(&ours));
            // What changes is a reason of its own there.
            let expected =
                if policy == "OnChange" && version == "0-x" { Some(Reason::SpecOrMetadataChanged) } else { expected };
            assert_eq!(matches!(due, Due::Now(_)), expected.is_some(), "{policy} {former:?} {version}: {due:?}");
            assert!(expected.is_none_or(|reason| due == Due::Now(reason)), "{policy} {former:?} {version}: {due:?}");
        }
    }
}

#[test]
fn refresh_is_brought_forward_by_a_quarter_of_its_interval_where_time_alone_will_make_it_due() {
    let now: Timestamp = NOW.parse().expect("time");
    let target = managed(true, "uid");
    // Due at 12:00 at the latest, and by up to three minutes sooner.
    let due = |plan: &Plan, status: &ExternalSecretStatus, version: &str, target: &Managed, minutes: i64| {
        let is_brought_forward = true;
        let seen = Seen { version, is_brought_forward, ..seen("uid", status, Some(target)) };
        due(plan, &seen, now - SignedDuration::from_mins(minutes))
    };
    let (synced, hourly) = (status("2026-01-01T11:00:00Z", "1-x", SECRET_SYNCED), plan("Periodic", "Owner", "1h"));
    assert_eq!(due(&hourly, &synced, "1-x", &target, 15), Due::Now(Reason::BroughtForward));
    assert!(matches!(due(&hourly, &synced, "1-x", &target, 20), Due::At(_)), "too early");
    assert_eq!(due(&hourly, &synced, "2-x", &target, 15), Due::Now(Reason::SpecOrMetadataChanged));
    assert_eq!(due(&hourly, &synced, "1-x", &managed(false, "uid"), 15), Due::Now(Reason::TargetDrifted));
    for policy in ["OnChange", "CreatedOnce"] {
        assert_eq!(due(&plan(policy, "Owner", "1h"), &synced, "1-x", &target, 1), Due::Never, "{policy}");
    }
    assert_eq!(due(&plan("Periodic", "Owner", "0"), &synced, "1-x", &target, 1), Due::Never);
    let mut shut = hourly.clone();
    let windows = json!({"kind": "allow", "windows": [{"schedule": "0 0 * * *", "duration": "1h"}]});
    let windows = serde_json::from_value(windows).expect("windows");
    shut.refresh.windows = Some(api::plan::Windows::new(&windows).expect("windows"));
    assert!(matches!(due(&shut, &synced, "1-x", &target, 15), Due::At(_)), "the sync window is closed");
    let mut failed = synced.clone();
    failed.conditions[0].status = "False".into();
    assert!(matches!(due(&hourly, &failed, "1-x", &target, 15), Due::Over(_)), "it failed");
    let may = |status: &ExternalSecretStatus, plan: &Plan, version: &str| {
        may_be_brought_forward(&plan.refresh, "uid", version, status, now - SignedDuration::from_mins(15))
    };
    assert!(may(&synced, &hourly, "1-x"));
    failed.conditions[0].message = "DeletionsHeld: wait".into();
    assert!(!may(&failed, &hourly, "1-x"), "deletions are held");
    assert!(!may(&synced, &shut, "1-x") && !may(&synced, &hourly, "2-x"));
    assert!(!may(&ExternalSecretStatus::default(), &hourly, "1-x"), "it was never synced");
}
