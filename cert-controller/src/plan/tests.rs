//! Whole lives of the Secrets, in a cluster of values: each step is applied, and after each the promise is checked that
//! no certificate that may be in use is unknown to the API server.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde_json::json;

use super::*;
use crate::authority::usual::{issue_authority, issue_leaf};
use crate::authority::{self, Lifetimes};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

struct World {
    now: Timestamp,
    told_since: Option<Timestamp>,
    authority: Option<Secret>,
    serving: Option<Secret>,
    configurations: Vec<ValidatingWebhookConfiguration>,
    settings: Settings,
    /// Certificates that some webhook may still serve, and until when.
    in_use: Vec<(Certificate, Timestamp)>,
}

impl World {
    fn new() -> Self {
        let configuration = |name: &str| {
            serde_json::from_value(json!({
                "metadata": {"name": name, "labels": {"external-secrets.io/component": "webhook"}},
                "webhooks": [{
                    "name": format!("{name}.external-secrets.io"), "clientConfig": {"url": "https://127.0.0.1:1/x"},
                    "sideEffects": "None", "admissionReviewVersions": ["v1"]
                }]
            }))
            .unwrap()
        };
        Self {
            now: "2026-05-01T12:00:00Z".parse().unwrap(),
            told_since: None,
            authority: None,
            serving: None,
            configurations: vec![configuration("secretstore-validate"), configuration("externalsecret-validate")],
            settings: Settings {
                names: vec!["webhook.es.svc".to_owned(), "127.0.0.1".to_owned()],
                service_name: "webhook".to_owned(),
                service_namespace: "es".to_owned(),
                propagation: MINUTE * 10,
                lifetimes: Lifetimes::default(),
            },
            in_use: Vec::new(),
        }
    }

    /// As after a first start.
    fn settled() -> Self {
        let mut world = Self::new();
        world.run();
        world
    }

    fn situation(&self) -> Situation {
        Situation::read(self.authority.as_ref(), self.serving.as_ref(), self.configurations.clone())
    }

    /// Steps until there is nothing to do; what was done, and until when nothing is due.
    fn run(&mut self) -> (Vec<&'static str>, Timestamp) {
        let mut done = Vec::new();
        loop {
            let situation = self.situation();
            self.told_since = situation.is_told().then(|| self.told_since.unwrap_or(self.now));
            let told_for = self.told_since.map(|since| self.now.duration_since(since)).unwrap_or_default();
            let step = next(&situation, told_for, &self.settings, self.now);
            if let Step::Rest { until, .. } = step {
                let leaf = self.situation().leaf.ok().unwrap().certificate;
                assert!(self.accepts(&leaf), "at rest after {done:?}");
                return (done, until);
            }
            done.push(self.apply(step));
            assert!(self.is_trusted(), "after {done:?}");
            assert!(done.len() < 10, "{done:?}");
        }
    }

    /// Runs, and goes on to each due time, until `end`.
    fn run_until(&mut self, end: Timestamp) -> Vec<&'static str> {
        let mut done = Vec::new();
        loop {
            let (steps, until) = self.run();
            done.extend(steps);
            if until >= end {
                self.now = end;
                return done;
            }
            self.now = until.max(self.now + SignedDuration::from_secs(1));
        }
    }

    fn apply(&mut self, step: Step) -> &'static str {
        match step {
            Step::Authorize(_) => {
                let pair = authority::issue_authority(self.settings.lifetimes.authority, self.now).unwrap();
                self.authorize(&pair);
                "authorize"
            }
            Step::Adopt(pair) => {
                self.authorize(&pair);
                "adopt"
            }
            Step::Certify { authority, bundle, .. } => {
                let Settings { names, lifetimes, .. } = &self.settings;
                let pair = authority::issue_leaf(&authority, names, lifetimes.leaf, self.now).unwrap();
                let replaced = self.situation().leaf.ok();
                let until = self.now + self.settings.propagation - MINUTE;
                // One that no API server trusted is no loss.
                let replaced = replaced.map(|pair| pair.certificate).filter(|leaf| self.accepts(leaf));
                self.in_use.extend(replaced.map(|leaf| (leaf, until)));
                self.in_use.retain(|(_, until)| *until > self.now);
                let data = [
                    (TLS_CERTIFICATE, pair.certificate.pem()),
                    (TLS_KEY, pair.key_pem().to_owned()),
                    (CA_CERTIFICATE, bundle),
                ];
                self.serving = Some(secret(data));
                let annotations = BTreeMap::from([(ISSUED_AT.to_owned(), self.now.to_string())]);
                self.serving.as_mut().unwrap().metadata.annotations = Some(annotations);
                "certify"
            }
            Step::Publish { bundle } => {
                let data = self.serving.as_mut().unwrap().data.as_mut().unwrap();
                data.insert(CA_CERTIFICATE.to_owned(), ByteString(bundle.into_bytes()));
                data.remove(CA_KEY);
                "publish"
            }
            Step::Inject(target) => {
                self.tell(&target.bundle);
                "inject"
            }
            Step::Rest { .. } => "rest",
        }
    }

    fn authorize(&mut self, pair: &Pair) {
        self.authority = Some(secret([(CA_CERTIFICATE, pair.certificate.pem()), (CA_KEY, pair.key_pem().to_owned())]));
    }

    fn tell(&mut self, bundle: &str) {
        for webhook in
            self.configurations.iter_mut().flat_map(|configuration| configuration.webhooks.iter_mut().flatten())
        {
            webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
        }
    }

    /// The promise: whatever a webhook may still serve, every API server accepts.
    fn is_trusted(&self) -> bool {
        self.in_use.iter().filter(|(_, until)| *until > self.now).all(|(leaf, _)| self.accepts(leaf))
    }

    fn accepts(&self, leaf: &Certificate) -> bool {
        self.configurations
            .iter()
            .all(|configuration| inject::trusted_by(configuration).iter().any(|authority| authority.has_signed(leaf)))
    }

    fn bundle_size(&self) -> usize {
        inject::trusted_by(&self.configurations[0]).len()
    }

    fn authority_certificate(&self) -> Certificate {
        self.situation().authority.ok().unwrap().certificate
    }
}

fn secret<const N: usize>(data: [(&str, String); N]) -> Secret {
    let data = data.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect();
    Secret { data: Some(data), ..Secret::default() }
}

#[test]
fn empty_cluster_is_set_up_in_one_go_and_then_left_alone() {
    let mut world = World::new();
    assert_eq!(world.run().0, ["authorize", "certify", "inject"]);
    assert_eq!(world.run().0, [""; 0]);
    let until = world.run().1;
    assert!(until > world.now + DAY * 59 && until < world.now + DAY * 61, "{until}");
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn empty_secret_as_the_chart_ships_it_is_filled() {
    let mut world = World::new();
    world.serving = Some(Secret::default());
    assert_eq!(world.run().0, ["authorize", "certify", "inject"]);
}

#[test]
fn deleted_secret_is_recreated_by_the_same_authority() {
    let mut world = World::settled();
    let authority = world.authority_certificate();
    world.serving = None;
    assert_eq!(world.run().0, ["certify"]);
    assert_eq!(world.authority_certificate(), authority);
}

#[test]
fn certificate_is_renewed_in_time_and_the_authority_stays() {
    let mut world = World::settled();
    let authority = world.authority_certificate();
    let done = world.run_until(world.now + DAY * 365);
    assert!((5..=7).contains(&done.len()) && done.iter().all(|step| *step == "certify"), "{done:?}");
    assert_eq!(world.authority_certificate(), authority);
}

#[test]
fn deleted_authority_is_replaced_with_overlap() {
    let mut world = World::settled();
    let served = world.situation().leaf.ok().unwrap().certificate;
    world.authority = None;
    world.told_since = None;

    let (done, until) = world.run();
    assert_eq!(done, ["authorize", "publish", "inject"]);
    assert_eq!(world.situation().leaf.ok().unwrap().certificate, served, "the new authority does not sign yet");
    assert_eq!(world.bundle_size(), 2);
    assert_eq!(until, world.now + SignedDuration::from_secs(30));

    world.now = until;
    let (done, until) = world.run();
    assert_eq!(done, ["certify"]);
    assert_eq!(world.bundle_size(), 2, "webhooks serve the old certificate until they have the new one");
    assert_eq!(until, world.now + MINUTE * 10);

    world.now = until;
    assert_eq!(world.run().0, ["publish", "inject"]);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn new_authority_does_not_sign_before_every_configuration_was_told() {
    let mut world = World::settled();
    world.authority = None;
    world.run();
    // Somebody takes the new authority out of one configuration: the wait begins anew once it is back.
    world.now += SignedDuration::from_secs(29);
    let old = world.situation().trusted().last().unwrap().pem();
    world.configurations[0].webhooks.as_mut().unwrap()[0].client_config.ca_bundle = Some(ByteString(old.into_bytes()));
    let (done, until) = world.run();
    assert_eq!(done, ["inject"]);
    assert_eq!(until, world.now + SignedDuration::from_secs(30));
}

#[test]
fn authorities_deleted_in_quick_succession_never_strand_a_certificate() {
    let mut world = World::settled();
    for pause in [1, 45, 20, 200, 5, 400, 31, 31, 31] {
        world.authority = None;
        world.run();
        world.now += SignedDuration::from_secs(pause);
        world.run();
        assert!(world.bundle_size() <= 9, "{}", world.bundle_size());
    }
    world.run_until(world.now + MINUTE * 15);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn both_secrets_deleted_keep_what_the_api_server_trusts_for_a_while() {
    let mut world = World::settled();
    let served = world.situation().leaf.ok().unwrap().certificate;
    (world.authority, world.serving) = (None, None);
    world.in_use.push((served, world.now + MINUTE * 9));
    assert_eq!(world.run().0, ["authorize", "certify", "inject"]);
    assert_eq!(world.bundle_size(), 2);
    world.run_until(world.now + MINUTE * 11);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn authority_is_renewed_with_overlap_long_before_it_expires() {
    let mut world = World::settled();
    let first = world.authority_certificate();
    let done = world.run_until(world.now + DAY * 365 * 9);
    assert_eq!(done.iter().filter(|step| **step == "authorize").count(), 1, "{done:?}");
    assert_ne!(world.authority_certificate(), first);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn certificates_of_a_day_are_renewed_with_their_authorities_for_a_year() {
    let mut world = World::new();
    world.settings.lifetimes = Lifetimes { leaf: DAY, authority: DAY };
    world.run();
    let done = world.run_until(world.now + DAY * 365);
    // Each lives 25 hours with the one it is backdated by, and is replaced after two thirds of that.
    let authorities = done.iter().filter(|step| **step == "authorize").count();
    assert!((540..=580).contains(&authorities), "{authorities}");
    assert!(done.iter().filter(|step| **step == "certify").count() >= authorities);
    assert!(world.bundle_size() <= 2);
}

/// What a write that is refused leaves to do.
#[test]
fn api_server_is_told_also_when_the_secret_cannot_be_written() {
    let mut world = World::settled();
    world.authority = None;
    world.told_since = None;
    let trusted = world.situation().trusted();
    for webhook in world.configurations.iter_mut().flat_map(|found| found.webhooks.iter_mut().flatten()) {
        webhook.client_config.ca_bundle = None;
    }
    // Without an authority it is what is published.
    let target = meanwhile(&world.situation(), &world.settings, world.now).unwrap();
    assert_eq!(target.bundle, trusted[0].pem());
    // With a new one both, before that is published.
    let new = issue_authority(world.now).unwrap();
    world.authorize(&new);
    let target = meanwhile(&world.situation(), &world.settings, world.now).unwrap();
    assert_eq!(target.bundle, new.certificate.pem() + &trusted[0].pem());
    world.tell(&target.bundle);
    assert!(meanwhile(&world.situation(), &world.settings, world.now).is_none(), "nothing is left to tell");
}

#[test]
fn nothing_unusable_is_told() {
    let mut world = World::new();
    assert!(meanwhile(&world.situation(), &world.settings, world.now).is_none());
    world.run();
    world.authority = None;
    let data = world.serving.as_mut().unwrap().data.as_mut().unwrap();
    data.insert(CA_CERTIFICATE.to_owned(), ByteString(b"text".to_vec()));
    assert!(meanwhile(&world.situation(), &world.settings, world.now).is_none());
}

#[test]
fn damaged_certificate_is_replaced_at_once() {
    for damage in ["", "text"] {
        let mut world = World::settled();
        let data = world.serving.as_mut().unwrap().data.as_mut().unwrap();
        data.insert(TLS_CERTIFICATE.to_owned(), ByteString(damage.as_bytes().to_vec()));
        assert_eq!(world.run().0, ["certify"], "{damage:?}");
    }
    let mut world = World::settled();
    let other = issue_authority(world.now).unwrap();
    let data = world.serving.as_mut().unwrap().data.as_mut().unwrap();
    data.insert(TLS_KEY.to_owned(), ByteString(other.key_pem().as_bytes().to_vec()));
    assert_eq!(world.run().0, ["certify"]);
}

#[test]
fn certificate_of_an_unknown_authority_is_replaced_at_once() {
    let mut world = World::settled();
    let foreign = issue_leaf(&issue_authority(world.now).unwrap(), &world.settings.names, world.now).unwrap();
    let data = world.serving.as_mut().unwrap().data.as_mut().unwrap();
    data.insert(TLS_CERTIFICATE.to_owned(), ByteString(foreign.certificate.pem().into_bytes()));
    data.insert(TLS_KEY.to_owned(), ByteString(foreign.key_pem().as_bytes().to_vec()));
    assert_eq!(world.run().0, ["certify"]);
}

#[test]
fn stripped_bundles_are_restored() {
    let mut world = World::settled();
    world.configurations[1].webhooks.as_mut().unwrap()[0].client_config.ca_bundle = None;
    assert_eq!(world.run().0, ["inject"]);
    world.tell("garbage");
    assert_eq!(world.run().0, ["inject"]);
    world.serving.as_mut().unwrap().data.as_mut().unwrap().remove(CA_CERTIFICATE);
    assert_eq!(world.run().0, ["publish"]);
}

#[test]
fn clock_that_jumped_ahead_and_back_leaves_a_working_cluster() {
    let mut world = World::settled();
    let real = world.now;
    world.now = real + DAY * 365 * 8;
    world.run();
    world.run_until(world.now + MINUTE);
    world.now = real + MINUTE * 5;
    world.told_since = None;
    world.in_use.clear();
    world.run();
    let leaf = world.situation().leaf.ok().unwrap().certificate;
    assert!(leaf.not_before <= world.now && world.now < leaf.not_after);
    world.run_until(world.now + MINUTE * 15);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn secret_of_the_go_operator_is_taken_over_without_a_new_authority() {
    let mut world = World::new();
    let authority = issue_authority(world.now).unwrap();
    let leaf = issue_leaf(&authority, &world.settings.names[..1], world.now).unwrap();
    world.serving = Some(secret([
        (CA_CERTIFICATE, authority.certificate.pem()),
        (CA_KEY, authority.key_pem().to_owned()),
        (TLS_CERTIFICATE, leaf.certificate.pem()),
        (TLS_KEY, leaf.key_pem().to_owned()),
    ]));
    world.tell(&authority.certificate.pem());
    let (done, until) = world.run();
    assert_eq!(done, ["adopt", "publish"]);
    assert!(!world.serving.as_ref().unwrap().data.as_ref().unwrap().contains_key(CA_KEY));
    assert_eq!(world.authority_certificate(), authority.certificate);
    // Its certificate lacks a name of ours: it serves on until the new one is due.
    world.now = until;
    assert_eq!(world.run().0, ["certify"]);
    assert_eq!(world.bundle_size(), 1);
}

#[test]
fn unusable_authority_in_the_webhooks_secret_is_not_adopted() {
    let mut world = World::settled();
    world.authority = None;
    let data = world.serving.as_mut().unwrap().data.as_mut().unwrap();
    data.insert(CA_KEY.to_owned(), ByteString(b"text".to_vec()));
    assert_eq!(world.run().0, ["authorize", "publish", "inject"]);
    assert!(!world.serving.as_ref().unwrap().data.as_ref().unwrap().contains_key(CA_KEY));
}
