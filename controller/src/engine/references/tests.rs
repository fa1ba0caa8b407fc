//! Events and what they wake, without a watch.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;

/// Served at this second by an earlier process, as its status says.
const SERVED: &str = "2026-01-01T00:00:10Z";
const BEFORE: &str = "2026-01-01T00:00:10Z";
const AFTER: &str = "2026-01-01T00:00:11Z";

struct Scene {
    references: References<&'static str>,
    woken: Arc<Mutex<Vec<&'static str>>>,
}

fn scene(served: &[&'static str]) -> Scene {
    let woken = Arc::new(Mutex::new(Vec::new()));
    let (sink, served) = (woken.clone(), served.to_vec());
    let references = References::new(
        move |user| sink.lock().expect("lock").push(*user),
        move |user| served.contains(user).then(|| Served { at: SERVED.parse().expect("a time"), version: 60 }),
    );
    Scene { references, woken }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("n", name)
}

impl Scene {
    fn applied(&self, name: &str, version: u64, changed_at: &str) {
        let stamp: Stamp<ConfigMap> = serde_json::from_value(json!({"metadata": {
            "name": name, "namespace": "n", "resourceVersion": version.to_string(), "creationTimestamp": changed_at,
        }}))
        .expect("metadata");
        self.references.applied(stamp);
    }

    fn listed(&self, objects: &[(&str, u64, &str)]) {
        Sink::<Stamp<ConfigMap>>::listing(&self.references);
        for (name, version, changed_at) in objects {
            self.applied(name, *version, changed_at);
        }
        Sink::<Stamp<ConfigMap>>::listed(&self.references);
    }

    fn woken(&self) -> Vec<&'static str> {
        let mut woken = std::mem::take(&mut *self.woken.lock().expect("lock"));
        woken.sort_unstable();
        woken
    }

    fn kept(&self) -> (usize, usize) {
        let index = self.references.index();
        (index.objects.len(), index.users.len())
    }
}

#[test]
fn edit_wakes_those_who_name_the_object_until_they_have_caught_up() {
    let scene = scene(&["a", "b", "c"]);
    for (user, object) in [("a", "map"), ("b", "map"), ("c", "other")] {
        scene.references.set(&user, vec![key(object)]);
    }
    scene.listed(&[("map", 5, BEFORE), ("other", 6, BEFORE)]);
    assert_eq!(scene.woken(), [""; 0], "all were served since");
    scene.applied("map", 7, AFTER);
    assert_eq!(scene.woken(), ["a", "b"]);
    assert!(scene.references.is_outdated(&"a") && !scene.references.is_outdated(&"c"));
    scene.references.settle(&"a", vec![(key("map"), 7)]);
    assert!(!scene.references.is_outdated(&"a") && scene.references.is_outdated(&"b"));
}

#[test]
fn objects_that_nobody_names_are_not_kept() {
    let scene = scene(&[]);
    scene.references.set(&"a", vec![key("map"), key("map")]);
    scene.listed(&[("x", 1, BEFORE), ("y", 2, BEFORE)]);
    scene.applied("z", 3, AFTER);
    assert_eq!(scene.kept(), (1, 1));
    scene.references.forget(&"a");
    assert_eq!(scene.kept(), (0, 0));
    assert_eq!(scene.woken(), [""; 0]);
}

#[test]
fn edit_while_no_process_ran_is_noticed_by_its_time() {
    let scene = scene(&["a"]);
    scene.references.set(&"a", vec![key("map")]);
    scene.listed(&[("map", 5, AFTER)]);
    assert_eq!(scene.woken(), ["a"]);
    assert!(scene.references.is_outdated(&"a"));
}

#[test]
fn edit_in_the_second_of_the_last_service_is_noticed_by_its_version() {
    let scene = scene(&["a", "b"]);
    scene.references.set(&"a", vec![key("before")]);
    scene.references.set(&"b", vec![key("after")]);
    scene.listed(&[("before", 59, SERVED), ("after", 61, SERVED)]);
    assert_eq!(scene.woken(), ["b"]);
}

#[test]
fn list_after_a_break_wakes_only_those_whose_object_changed() {
    let scene = scene(&["a", "b"]);
    scene.references.set(&"a", vec![key("map")]);
    scene.references.set(&"b", vec![key("other")]);
    scene.listed(&[("map", 5, BEFORE), ("other", 6, BEFORE)]);
    scene.listed(&[("map", 5, BEFORE), ("other", 9, AFTER)]);
    assert_eq!(scene.woken(), ["b"]);
}

#[test]
fn restored_cluster_with_older_versions_wakes() {
    let scene = scene(&["a"]);
    scene.references.set(&"a", vec![key("map")]);
    scene.listed(&[("map", 50, BEFORE)]);
    scene.listed(&[("map", 5, BEFORE)]);
    assert_eq!(scene.woken(), ["a"]);
    assert!(scene.references.is_outdated(&"a"));
}

#[test]
fn event_of_a_version_that_was_worked_with_already_wakes_nobody() {
    let scene = scene(&[]);
    scene.references.set(&"a", vec![key("map")]);
    scene.references.settle(&"a", vec![(key("map"), 5)]);
    scene.applied("map", 5, AFTER);
    assert_eq!(scene.woken(), [""; 0], "the reconcile was faster than the watch");
    assert!(!scene.references.is_outdated(&"a"));
}

#[test]
fn object_that_comes_into_being_wakes_those_who_wait_for_it() {
    let scene = scene(&["a"]);
    scene.references.set(&"a", vec![key("map")]);
    scene.listed(&[]);
    assert!(!scene.references.is_outdated(&"a"));
    scene.applied("map", 5, BEFORE);
    assert_eq!(scene.woken(), ["a"], "live, whatever the clocks say");
}

#[test]
fn edit_during_the_work_is_not_lost() {
    let scene = scene(&["a"]);
    scene.references.set(&"a", vec![key("map")]);
    scene.listed(&[("map", 5, BEFORE)]);
    scene.applied("map", 6, AFTER);
    let begun = scene.references.current(&"a");
    scene.applied("map", 7, AFTER);
    scene.references.settle(&"a", begun);
    assert!(scene.references.is_outdated(&"a"));
}

#[test]
fn name_that_left_the_spec_wakes_no_more_and_one_that_stayed_is_still_known() {
    let scene = scene(&["a"]);
    scene.references.set(&"a", vec![key("map"), key("other")]);
    scene.listed(&[("map", 5, BEFORE), ("other", 6, BEFORE)]);
    scene.references.set(&"a", vec![key("map")]);
    scene.applied("other", 8, AFTER);
    assert_eq!(scene.woken(), [""; 0]);
    assert!(!scene.references.is_outdated(&"a"));
    scene.applied("map", 9, AFTER);
    assert_eq!(scene.woken(), ["a"]);
}

#[test]
fn watch_is_needed_from_the_first_name_on() {
    let scene = scene(&[]);
    let in_use = scene.references.in_use();
    scene.references.set(&"a", Vec::new());
    assert!(!*in_use.borrow());
    scene.references.set(&"a", vec![key("map")]);
    scene.references.forget(&"a");
    assert!(*in_use.borrow());
}

#[test]
fn object_named_before_it_is_read_is_not_missed_and_a_read_version_is_no_news() {
    let scene = scene(&[]);
    scene.references.add(&"a", &key("missing"));
    scene.references.add(&"a", &key("there"));
    scene.references.settle(&"a", vec![(key("there"), 5)]);
    scene.listed(&[("there", 5, BEFORE)]);
    assert_eq!(scene.woken(), [""; 0]);
    scene.applied("missing", 6, AFTER);
    assert_eq!(scene.woken(), ["a"], "it has come into being");
    scene.applied("there", 7, AFTER);
    assert_eq!(scene.woken(), ["a"]);
}

#[test]
fn object_used_in_an_unknown_version_is_news_from_the_next_version_on() {
    let scene = scene(&[]);
    scene.references.add(&"a", &key("account"));
    scene.references.accept(&"a", &key("account"));
    scene.listed(&[("account", 5, AFTER)]);
    assert_eq!(scene.woken(), [""; 0]);
    scene.applied("account", 6, AFTER);
    assert_eq!(scene.woken(), ["a"]);
    scene.references.accept(&"a", &key("account"));
    assert!(!scene.references.is_outdated(&"a"));
}

#[test]
fn object_that_is_gone_is_another_one_but_wakes_nobody() {
    let scene = scene(&[]);
    scene.references.add(&"a", &key("map"));
    scene.references.settle(&"a", vec![(key("map"), 5)]);
    scene.listed(&[("map", 5, BEFORE)]);
    scene.references.outdate(&key("map"), 6);
    assert!(scene.references.is_outdated(&"a"));
    assert_eq!(scene.woken(), [""; 0]);
    scene.references.forget_all(|user| *user == "a");
    assert_eq!(scene.kept(), (0, 0));
}
