//! The one next step towards a certificate that every API server trusts. Pure; nothing is remembered between steps that
//! is not in the cluster, except how long the API server has been told of the current authority.
//!
//! The order keeps admission working at every moment: a new authority is published beside the old one (in the webhook's
//! Secret, then in every labelled configuration) and signs only after the API servers had time to hear of it; the old
//! one leaves when no certificate of it can be in use. Only a certificate that cannot serve anyway is replaced at once.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;

use crate::authority::{Lifetimes, Reason, Verdict, assess_authority, assess_leaf};
use crate::bundle::{self, Bundle, Known};
use crate::certificate::{Certificate, Pair, Unusable};
use crate::inject::{self, Target};

/// Keys of the Secrets' data.
pub const CA_CERTIFICATE: &str = "ca.crt";
pub const CA_KEY: &str = "ca.key";
pub const TLS_CERTIFICATE: &str = "tls.crt";
pub const TLS_KEY: &str = "tls.key";

/// On the webhook's Secret: when its certificate was written, in RFC 3339. The authority before it is trusted for the
/// propagation time after that.
pub const ISSUED_AT: &str = "cert-controller.external-secrets.io/certificate-issued-at";

/// A new authority signs after this part of the propagation time: API servers watch their configurations and hear
/// within a second, the kubelet polls. With the default that is 30 s.
const SETTLING_PART: i32 = 20;

/// What the flags say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names and addresses of the webhook, checked.
    pub names: Vec<String>,
    pub service_name: String,
    pub service_namespace: String,
    pub propagation: SignedDuration,
    pub lifetimes: Lifetimes,
}

impl Settings {
    fn target(&self, bundle: String) -> Target {
        Target { bundle, service_name: self.service_name.clone(), service_namespace: self.service_namespace.clone() }
    }

    fn settling(&self) -> SignedDuration {
        self.propagation / SETTLING_PART
    }
}

/// What is in the cluster, read.
pub struct Situation {
    /// From the authority's own Secret.
    pub authority: Result<Pair, Unusable>,
    /// From the webhook's Secret, if it still holds an authority's key, as the Go operator's does.
    lodger: Option<Result<Pair, Unusable>>,
    /// From the webhook's Secret.
    pub leaf: Result<Pair, Unusable>,
    leaf_issued_at: Option<Timestamp>,
    published: Vec<u8>,
    configurations: Vec<ValidatingWebhookConfiguration>,
}

impl Situation {
    pub fn read(
        authority: Option<&Secret>,
        serving: Option<&Secret>,
        configurations: Vec<ValidatingWebhookConfiguration>,
    ) -> Self {
        let ca_key = value(serving, CA_KEY);
        let issued_at = serving.and_then(|secret| secret.metadata.annotations.as_ref()?.get(ISSUED_AT)?.parse().ok());
        Self {
            authority: Pair::read(value(authority, CA_CERTIFICATE), value(authority, CA_KEY)),
            lodger: ca_key.map(|key| Pair::read(value(serving, CA_CERTIFICATE), Some(key))),
            leaf: Pair::read(value(serving, TLS_CERTIFICATE), value(serving, TLS_KEY)),
            leaf_issued_at: issued_at,
            published: value(serving, CA_CERTIFICATE).unwrap_or_default().to_vec(),
            configurations,
        }
    }

    /// Whether every labelled configuration trusts the current authority.
    pub fn is_told(&self) -> bool {
        let Ok(authority) = &self.authority else { return false };
        self.configurations.iter().all(|configuration| inject::trusts(configuration, &authority.certificate))
    }

    fn is_as(&self, target: &Target) -> bool {
        self.configurations.iter().all(|configuration| inject::patch(configuration, target).is_none())
    }

    /// What has been trusted until now: the published bundle, or, when that is lost, what the API server was told.
    fn trusted(&self) -> Vec<Certificate> {
        Certificate::read_all(&self.published)
            .unwrap_or_else(|| self.configurations.iter().flat_map(inject::trusted_by).collect())
    }

    fn bundle(&self, authority: &Certificate, propagation: SignedDuration, now: Timestamp) -> Bundle {
        let trusted = self.trusted();
        let leaf = self.leaf.as_ref().ok().map(|leaf| &leaf.certificate);
        bundle::wanted(
            &Known { authority, trusted: &trusted, leaf, leaf_issued_at: self.leaf_issued_at },
            propagation,
            now,
        )
    }
}

fn value<'a>(secret: Option<&'a Secret>, key: &str) -> Option<&'a [u8]> {
    Some(secret?.data.as_ref()?.get(key)?.0.as_slice())
}

/// One write, or a pause.
pub enum Step {
    /// Make an authority and write it into its own Secret.
    Authorize(Reason),
    /// Write the authority that the webhook's Secret still holds into its own Secret.
    Adopt(Box<Pair>),
    /// Make a certificate and write it, with the bundle, into the webhook's Secret.
    Certify { authority: Box<Pair>, bundle: String, reason: Reason },
    /// Write the bundle into the webhook's Secret, and take an authority's key out of it.
    Publish { bundle: String },
    /// Tell the API server.
    Inject(Target),
    /// All is as it should be until then.
    Rest { until: Timestamp, target: Target },
}

/// The next step. `told_for`: how long every labelled configuration has been seen to trust the current authority.
pub fn next(situation: &Situation, told_for: SignedDuration, settings: &Settings, now: Timestamp) -> Step {
    let verdict = assess_authority(&situation.authority, now);
    let authority = match (&situation.authority, verdict) {
        (Ok(authority), Verdict::Keep) => authority,
        (Ok(_), Verdict::Issue(reason)) => return replace_authority(situation, reason, now),
        (Err(unusable), _) => return replace_authority(situation, (*unusable).into(), now),
    };
    let bundle = situation.bundle(&authority.certificate, settings.propagation, now);
    let verdict = assess_leaf(&situation.leaf, authority, &settings.names, now);
    let certify = |reason| Step::Certify { authority: Box::new(authority.clone()), bundle: bundle.pem(), reason };
    if let Verdict::Issue(reason) = verdict
        && !serves_meanwhile(situation, reason, &bundle)
    {
        return certify(reason);
    }
    if situation.published != bundle.pem().as_bytes() || situation.lodger.is_some() {
        return Step::Publish { bundle: bundle.pem() };
    }
    let target = settings.target(bundle.pem());
    if !situation.is_as(&target) {
        return Step::Inject(target);
    }
    let left = settings.settling().saturating_sub(told_for);
    match verdict {
        Verdict::Issue(reason) if !left.is_positive() => certify(reason),
        Verdict::Issue(_) => Step::Rest { until: now.saturating_add(left).unwrap_or(now), target },
        Verdict::Keep => Step::Rest { until: next_due(situation, authority, &bundle), target },
    }
}

/// What to tell the API server although the step before that, a write to a Secret, was refused: a Secret that cannot be
/// written keeps an old certificate in use, and that must stay trusted. `None`: nothing is left to tell.
pub fn meanwhile(situation: &Situation, settings: &Settings, now: Timestamp) -> Option<Target> {
    let bundle = match &situation.authority {
        Ok(authority) => situation.bundle(&authority.certificate, settings.propagation, now).pem(),
        Err(_) => Certificate::read_all(&situation.published)?.iter().map(Certificate::pem).collect(),
    };
    Some(settings.target(bundle)).filter(|target| !situation.is_as(target))
}

fn replace_authority(situation: &Situation, reason: Reason, now: Timestamp) -> Step {
    match &situation.lodger {
        Some(lodger) if assess_authority(lodger, now) == Verdict::Keep => match lodger {
            Ok(pair) => Step::Adopt(Box::new(pair.clone())),
            Err(_) => Step::Authorize(reason),
        },
        _ => Step::Authorize(reason),
    }
}

/// Whether the certificate that is to be replaced does its work until then.
fn serves_meanwhile(situation: &Situation, reason: Reason, bundle: &Bundle) -> bool {
    let Ok(leaf) = &situation.leaf else { return false };
    match reason {
        Reason::Due | Reason::WrongName => true,
        Reason::ForeignAuthority => bundle.certificates.iter().any(|authority| authority.has_signed(&leaf.certificate)),
        Reason::Missing
        | Reason::Unreadable
        | Reason::KeyDoesNotFit
        | Reason::NotAnAuthority
        | Reason::NotYetValid
        | Reason::Expired => false,
    }
}

fn next_due(situation: &Situation, authority: &Pair, bundle: &Bundle) -> Timestamp {
    let leaf = situation.leaf.as_ref().ok().map(|leaf| leaf.certificate.renew_at());
    let authority = authority.certificate.renew_at();
    [leaf, bundle.shrinks_at].into_iter().flatten().fold(authority, Timestamp::min)
}

#[cfg(test)]
mod tests;
