//! The extensions of a certificate, in the order in which Go writes them.

use std::net::IpAddr;

use super::{Request, ascii};
use crate::der::cursor::{Cursor, tag};
use crate::der::write;
use crate::error::Message;

const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 35];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Digital signature and key encipherment: the number of unused bits, and the bits.
const LEAF_USAGE: [u8; 2] = [5, 0b1010_0000];
/// The same, and signing of certificates.
const CA_USAGE: [u8; 2] = [2, 0b1010_0100];
const TRUE: [u8; 3] = [1, 1, 0xff];
/// Go cuts the SHA-256 of the key to the length that SHA-1 had.
const KEY_ID_BYTES: usize = 20;

const DNS_NAME: u8 = tag::context(2);
const IP_ADDRESS: u8 = tag::context(7);

/// The extensions for a key; `authority` names the key of the issuer.
pub(super) fn of(request: &Request, public: &[u8], authority: Option<&[u8]>) -> Result<Vec<u8>, Message> {
    let usage = if request.is_ca { CA_USAGE } else { LEAF_USAGE };
    let constraints: &[u8] = if request.is_ca { &TRUE } else { &[] };
    let purposes = write::sequence(&[&write::oid(SERVER_AUTH), &write::oid(CLIENT_AUTH)]);
    let mut all = vec![
        extension(KEY_USAGE, true, &write::element(tag::BITS, &usage)),
        extension(EXTENDED_KEY_USAGE, false, &purposes),
        extension(BASIC_CONSTRAINTS, true, &write::sequence(&[constraints])),
    ];
    if request.is_ca {
        all.push(extension(SUBJECT_KEY, false, &write::octets(&key_id(public))));
    }
    if let Some(authority) = authority {
        let id = write::sequence(&[&write::element(tag::context(0), authority)]);
        all.push(extension(AUTHORITY_KEY, false, &id));
    }
    if !request.hosts.is_empty() || !request.addresses.is_empty() {
        // Where the subject has no name, these are the only ones.
        all.push(extension(ALTERNATIVE_NAMES, request.name.is_empty(), &names(request)?));
    }
    let parts: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    Ok(write::sequence(&parts))
}

fn extension(oid: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &TRUE } else { &[] };
    write::sequence(&[&write::oid(oid), critical, &write::octets(content)])
}

fn names(request: &Request) -> Result<Vec<u8>, Message> {
    let mut all = Vec::new();
    for host in &request.hosts {
        all.extend(write::element(DNS_NAME, ascii(host)?));
    }
    for address in &request.addresses {
        match address.to_canonical() {
            IpAddr::V4(address) => all.extend(write::element(IP_ADDRESS, &address.octets())),
            IpAddr::V6(address) => all.extend(write::element(IP_ADDRESS, &address.octets())),
        }
    }
    Ok(write::sequence(&[&all]))
}

/// What names a public key, given with its algorithm.
fn key_id(public: &[u8]) -> Vec<u8> {
    let bits = Cursor(public).read(tag::SEQUENCE).and_then(|mut fields| {
        fields.any()?;
        fields.bits(true)
    });
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bits.unwrap_or_default());
    hash.as_ref().iter().copied().take(KEY_ID_BYTES).collect()
}
