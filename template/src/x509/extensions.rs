//! The extensions of a certificate: two give its links, one its names, and others are checked.

use std::collections::HashSet;

use super::{Certificate, constraints, malformed, names};
use crate::der::cursor::{Cursor, tag};
use crate::der::oid;
use crate::error::Message;

/// `authorityInfoAccess`
const INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

/// One extension.
struct Extension<'a> {
    oid: &'a [u8],
    critical: bool,
    value: Cursor<'a>,
}

/// Reads the extensions, if there are any, into the certificate.
pub(super) fn read(tbs: &mut Cursor, certificate: &mut Certificate) -> Result<(), Message> {
    let wrong = || malformed("malformed extensions");
    let Some(mut outer) = tbs.optional(tag::explicit(3)).ok_or_else(wrong)? else { return Ok(()) };
    let mut list = outer.read(tag::SEQUENCE).ok_or_else(wrong)?;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while !list.is_empty() {
        let fields = list.read(tag::SEQUENCE).ok_or_else(|| malformed("malformed extension"))?;
        let extension = Extension::read(fields)?;
        if !seen.insert(extension.oid) {
            let problem = malformed("certificate contains duplicate extension with OID \"");
            return Err(problem.data(oid::dotted(extension.oid)).text("\""));
        }
        found.push(extension);
    }
    found.into_iter().try_for_each(|extension| extension.apply(certificate))
}

impl<'a> Extension<'a> {
    fn read(mut fields: Cursor<'a>) -> Result<Self, Message> {
        let oid = fields.oid().ok_or_else(|| malformed("malformed extension OID field"))?;
        let critical = if fields.next_is(tag::BOOLEAN) {
            fields.boolean().ok_or_else(|| malformed("malformed extension critical field"))?
        } else {
            false
        };
        let value = fields.read(tag::OCTETS).ok_or_else(|| malformed("malformed extension value field"))?;
        Ok(Self { oid, critical, value })
    }

    fn apply(self, certificate: &mut Certificate) -> Result<(), Message> {
        let must = |fits: Option<()>, problem: &'static str| fits.ok_or_else(|| malformed(problem));
        let value = self.value;
        match self.oid {
            [0x55, 0x1d, 14] => certificate.subject_key_id = self.subject_key_id()?,
            [0x55, 0x1d, 15] => must(key_usage(value), "invalid key usage")?,
            [0x55, 0x1d, 17] => certificate.names = names::read(value)?,
            [0x55, 0x1d, 19] => must(basic_constraints(value), "invalid basic constraints")?,
            [0x55, 0x1d, 30] => constraints::check(value)?,
            [0x55, 0x1d, 31] => distribution_points(value)?,
            [0x55, 0x1d, 32] => must(policies(value), "invalid certificate policies")?,
            [0x55, 0x1d, 33] => must(policy_mappings(value), "invalid policy mappings extension")?,
            [0x55, 0x1d, 35] => certificate.authority_key_id = self.authority_key_id()?,
            [0x55, 0x1d, 36] => must(policy_constraints(value), "invalid policy constraints extension")?,
            [0x55, 0x1d, 37] => must(key_purposes(value), "invalid extended key usages")?,
            [0x55, 0x1d, 54] => must(any_policy(value), "invalid inhibit any policy extension")?,
            INFO_ACCESS => self.check_info_access()?,
            _ => {}
        }
        Ok(())
    }

    fn subject_key_id(mut self) -> Result<Vec<u8>, Message> {
        if self.critical {
            return Err(malformed("subject key identifier incorrectly marked critical"));
        }
        let id = self.value.read(tag::OCTETS).ok_or_else(|| malformed("invalid subject key identifier"))?;
        Ok(id.0.to_vec())
    }

    fn authority_key_id(mut self) -> Result<Option<Vec<u8>>, Message> {
        if self.critical {
            return Err(malformed("authority key identifier incorrectly marked critical"));
        }
        let wrong = || malformed("invalid authority key identifier");
        let mut fields = self.value.read(tag::SEQUENCE).ok_or_else(wrong)?;
        let id = fields.optional(tag::context(0)).ok_or_else(wrong)?;
        Ok(id.map(|id| id.0.to_vec()))
    }

    fn check_info_access(mut self) -> Result<(), Message> {
        if self.critical {
            return Err(malformed("authority info access incorrectly marked critical"));
        }
        let wrong = || malformed("invalid authority info access");
        let mut list = self.value.read(tag::SEQUENCE).ok_or_else(wrong)?;
        while !list.is_empty() {
            let mut access = list.read(tag::SEQUENCE).ok_or_else(wrong)?;
            access.oid().ok_or_else(wrong)?;
            access.optional(tag::context(6)).ok_or_else(wrong)?;
        }
        Ok(())
    }
}

fn key_usage(mut value: Cursor) -> Option<()> {
    value.bits(false).map(|_| ())
}

fn basic_constraints(mut value: Cursor) -> Option<()> {
    let mut fields = value.read(tag::SEQUENCE)?;
    if fields.next_is(tag::BOOLEAN) {
        fields.boolean()?;
    }
    if fields.next_is(tag::INTEGER) {
        fields.int().filter(|length| *length >= 0)?;
    }
    Some(())
}

fn distribution_points(mut value: Cursor) -> Result<(), Message> {
    let mut points = value.read(tag::SEQUENCE).ok_or_else(|| malformed("invalid CRL distribution points"))?;
    let wrong = || malformed("invalid CRL distribution point");
    while !points.is_empty() {
        let mut point = points.read(tag::SEQUENCE).ok_or_else(wrong)?;
        let Some(mut name) = point.optional(tag::explicit(0)).ok_or_else(wrong)? else { continue };
        let mut full = name.read(tag::explicit(0)).ok_or_else(wrong)?;
        while full.next_is(tag::context(6)) {
            full.read(tag::context(6)).ok_or_else(wrong)?;
        }
    }
    Ok(())
}

fn policies(mut value: Cursor) -> Option<()> {
    let mut list = value.read(tag::SEQUENCE)?;
    let mut seen = HashSet::new();
    while !list.is_empty() {
        let oid = any_oid(&mut list.read(tag::SEQUENCE)?)?;
        seen.insert(oid).then_some(())?;
    }
    Some(())
}

/// An identifier whose numbers may be of any size.
fn any_oid<'a>(fields: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let content = fields.read(tag::OID)?.0;
    let ends = content.last().is_some_and(|last| last & 0x80 == 0);
    let mut starts = true;
    let is_padded = content.iter().any(|byte| {
        let padded = starts && *byte == 0x80;
        starts = byte & 0x80 == 0;
        padded
    });
    (ends && !is_padded).then_some(content)
}

fn policy_mappings(mut value: Cursor) -> Option<()> {
    let mut list = value.read(tag::SEQUENCE)?;
    while !list.is_empty() {
        let mut pair = list.read(tag::SEQUENCE)?;
        pair.read(tag::OID)?;
        pair.read(tag::OID)?;
    }
    Some(())
}

fn policy_constraints(mut value: Cursor) -> Option<()> {
    let mut fields = value.read(tag::SEQUENCE)?;
    for number in 0..2 {
        if fields.next_is(tag::context(number)) {
            let content = fields.read(tag::context(number))?.0;
            crate::der::fields::int(content).ok()?;
        }
    }
    Some(())
}

fn key_purposes(mut value: Cursor) -> Option<()> {
    let mut list = value.read(tag::SEQUENCE)?;
    while !list.is_empty() {
        list.oid()?;
    }
    Some(())
}

fn any_policy(mut value: Cursor) -> Option<()> {
    value.int().map(|_| ())
}
