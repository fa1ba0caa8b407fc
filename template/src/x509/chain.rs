//! Putting certificates in order.

use std::collections::HashMap;

use super::Certificate;
use crate::error::Message;

/// The certificates from the leaf over those that vouch for it to the root, linked by the identifiers of their keys.
/// Those beside the path from the leaf are left out; more than one leaf is an error.
pub(crate) fn ordered(certificates: &[Certificate]) -> Result<Vec<&Certificate>, Message> {
    let parents = parents(certificates);
    let mut vouches = vec![false; certificates.len()];
    for &parent in parents.iter().flatten() {
        vouches[parent] = true;
    }
    let mut leaves = (0..certificates.len()).filter(|&index| !vouches[index]);
    let leaf = leaves.next().ok_or("no leaf certificate found")?;
    if leaves.next().is_some() {
        return Err("found multiple leaf or disjunct certificates".into());
    }
    let mut chain = Vec::new();
    let mut next = Some(leaf);
    while let Some(index) = next {
        if chain.len() == certificates.len() {
            return Err("constructing chain resulted in cycle".into());
        }
        chain.push(&certificates[index]);
        next = parents[index];
    }
    Ok(chain)
}

/// For each certificate the first other one that has the key which signed it. A certificate that does not say which
/// key signed it fits one that does not say which it has.
fn parents(certificates: &[Certificate]) -> Vec<Option<usize>> {
    // Two of them suffice: the first may be the certificate itself.
    let mut owners: HashMap<&[u8], [Option<usize>; 2]> = HashMap::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let pair = owners.entry(&certificate.subject_key_id).or_default();
        if let Some(free) = pair.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(index);
        }
    }
    let parent = |(index, certificate): (usize, &Certificate)| {
        let id = certificate.authority_key_id.as_deref().unwrap_or_default();
        owners.get(id)?.iter().copied().flatten().find(|&owner| owner != index)
    };
    certificates.iter().enumerate().map(parent).collect()
}
