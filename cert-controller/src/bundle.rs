//! Which authorities the API server must trust right now. Pure.
//!
//! The current authority always; another one for as long as a certificate of it may be in use: while it is in the
//! webhook's Secret, and for the propagation time after it was replaced there, which covers the kubelet and the
//! webhook's own poll.

use jiff::{SignedDuration, Timestamp};

use crate::authority::BACKDATED;
use crate::certificate::Certificate;

/// Authorities in a bundle. Rotations far faster than the propagation time are a sign of trouble; the bundle must not
/// outgrow the objects that carry it.
const MOST: usize = 8;

/// What is known about trust so far.
pub struct Known<'a> {
    /// The authority that signs from now on.
    pub authority: &'a Certificate,
    /// What has been trusted until now, newest first.
    pub trusted: &'a [Certificate],
    /// The certificate in the webhook's Secret.
    pub leaf: Option<&'a Certificate>,
    /// When that was written there, as far as is recorded.
    pub leaf_issued_at: Option<Timestamp>,
}

/// A bundle, and when it will shrink.
#[derive(Debug, PartialEq)]
pub struct Bundle {
    pub certificates: Vec<Certificate>,
    pub shrinks_at: Option<Timestamp>,
}

impl Bundle {
    pub fn pem(&self) -> String {
        self.certificates.iter().map(Certificate::pem).collect()
    }
}

/// The bundle for `now`.
pub fn wanted(known: &Known<'_>, propagation: SignedDuration, now: Timestamp) -> Bundle {
    let in_use_until = known.leaf.and_then(|leaf| {
        // A record from the future was made under another clock; the certificate itself tells the time then.
        let recorded = known.leaf_issued_at.filter(|at| *at <= now);
        let issued_at = recorded.or_else(|| leaf.not_before.checked_add(BACKDATED).ok())?;
        issued_at.checked_add(propagation).ok()
    });
    let in_window = known.leaf.is_none() || in_use_until.is_some_and(|until| now < until);
    let mut certificates = vec![known.authority.clone()];
    let mut shrinks_at = None;
    for other in known.trusted {
        if !other.is_authority || other.not_after <= now || certificates.contains(other) {
            continue;
        }
        let signs_what_is_served = known.leaf.is_some_and(|leaf| other.has_signed(leaf));
        if signs_what_is_served {
            certificates.push(other.clone());
        } else if in_window && certificates.len() < MOST {
            certificates.push(other.clone());
            shrinks_at = in_use_until;
        }
    }
    Bundle { certificates, shrinks_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::usual::{issue_authority, issue_leaf};

    const PROPAGATION: SignedDuration = SignedDuration::from_mins(10);

    fn names() -> Vec<String> {
        vec!["webhook.es.svc".to_owned()]
    }

    #[test]
    fn old_authority_stays_while_its_certificate_is_served_and_a_while_longer() {
        let start = Timestamp::now();
        let (old, new) = (issue_authority(start).unwrap(), issue_authority(start).unwrap());
        let trusted = [new.certificate.clone(), old.certificate.clone()];
        let of_old = issue_leaf(&old, &names(), start).unwrap().certificate;
        let of_new = issue_leaf(&new, &names(), start).unwrap().certificate;
        let both = vec![new.certificate.clone(), old.certificate.clone()];
        let at = |leaf: &Certificate, issued_at, now| {
            let known =
                Known { authority: &new.certificate, trusted: &trusted, leaf: Some(leaf), leaf_issued_at: issued_at };
            wanted(&known, PROPAGATION, now)
        };

        let year = SignedDuration::from_hours(24 * 365);
        let late = start + year;
        assert_eq!(at(&of_old, Some(start), late), Bundle { certificates: both.clone(), shrinks_at: None });

        let soon = start + SignedDuration::from_mins(9);
        assert_eq!(
            at(&of_new, Some(start), soon),
            Bundle { certificates: both, shrinks_at: Some(start + PROPAGATION) }
        );
        let alone = Bundle { certificates: vec![new.certificate.clone()], shrinks_at: None };
        assert_eq!(at(&of_new, Some(start), start + PROPAGATION), alone);

        // A stripped record, and one from the future, fall back to the certificate's own date.
        assert_eq!(at(&of_new, None, soon).certificates.len(), 2);
        assert_eq!(at(&of_new, Some(late), soon).certificates.len(), 2);
        assert_eq!(at(&of_new, None, late), alone);
    }

    #[test]
    fn unknown_certificate_in_use_keeps_all_trust_but_not_what_cannot_sign() {
        let now = Timestamp::now();
        let (old, new) = (issue_authority(now).unwrap(), issue_authority(now).unwrap());
        let leaf = issue_leaf(&old, &names(), now).unwrap().certificate;
        let trusted = [leaf, old.certificate.clone(), old.certificate.clone()];
        let known = Known { authority: &new.certificate, trusted: &trusted, leaf: None, leaf_issued_at: None };
        let bundle = wanted(&known, PROPAGATION, now);
        assert_eq!(bundle.certificates, [new.certificate.clone(), old.certificate.clone()]);
        let expired = wanted(&known, PROPAGATION, old.certificate.not_after);
        assert_eq!(expired.certificates.len(), 1, "an expired authority is of no use");
    }

    #[test]
    fn bundle_does_not_grow_without_bound_but_keeps_the_one_in_use() {
        let now = Timestamp::now();
        let many: Vec<_> = (0..20).map(|_| issue_authority(now).unwrap()).collect();
        let trusted: Vec<_> = many.iter().map(|pair| pair.certificate.clone()).collect();
        let leaf = issue_leaf(&many[19], &names(), now).unwrap().certificate;
        let known = Known { authority: &trusted[0], trusted: &trusted, leaf: Some(&leaf), leaf_issued_at: Some(now) };
        let bundle = wanted(&known, PROPAGATION, now).certificates;
        assert_eq!(bundle.len(), MOST + 1);
        assert_eq!(bundle.last(), Some(&trusted[19]));
    }
}
