//! Free ports on 127.0.0.1, and words that nobody else uses.
//!
//! Ports come from below the range that systems hand out for outgoing connections, so that a client's connection cannot take a port
//! between its choice and its use. Two test processes can still choose the same one; whoever starts a server retries then.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher, RandomState},
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

use crate::failure::{Failure, Result};

/// Below the usual ephemeral range (from 32768), above the ports of well-known servers.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port that nobody listens on and that this process has not given out before.
pub fn free() -> Result<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_with(HashSet::new);
    let width = u64::from(RANGE.end - RANGE.start);
    for _ in 0..1_000 {
        let offset = u16::try_from(random() % width).unwrap_or_default();
        let port = RANGE.start + offset;
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    Err(Failure::new("no free port between 20000 and 32000 on 127.0.0.1: end what listens there"))
}

/// Eight characters that make a name unique, fit for Kubernetes names.
pub fn random_word() -> String {
    format!("{:08x}", random() & 0xffff_ffff)
}

/// A token for servers of the bed, which live for minutes on 127.0.0.1.
pub fn random_token() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// A number from 0 to 1.
pub fn random_part() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The keys of a new `RandomState` differ at each call, and the first come from the system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: HashSet<u16> = (0..50).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn words_differ() {
        assert_ne!(random_word(), random_word());
        assert_eq!(random_token().len(), 32);
    }
}
