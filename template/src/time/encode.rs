//! Times as Go's encodings have them.

use super::{Time, ZERO, Zone};

/// The layout of texts that computers read.
const LAYOUT: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";
/// Offsets are whole minutes; this one says that the zone is UTC.
const UTC: i16 = -1;
/// The version for offsets in whole minutes, and the one that has the seconds, too.
const VERSIONS: [u8; 2] = [1, 2];

impl Time {
    /// The time as in RFC 3339, or what that format lacks.
    pub(crate) fn marshal_text(&self) -> Result<Vec<u8>, &'static str> {
        let (offset, _) = self.zone.at(self.seconds);
        if !(0..10_000).contains(&self.civil().year) {
            Err("year outside of range [0,9999]")
        } else if offset.abs() >= 24 * 3600 {
            Err("timezone hour outside of range [0,23]")
        } else {
            Ok(self.format(LAYOUT))
        }
    }

    /// Version, seconds since the year 1, nanoseconds, and the offset in minutes with its seconds, if it has some.
    pub(crate) fn marshal_binary(&self) -> Result<Vec<u8>, &'static str> {
        let (offset, _) = self.zone.at(self.seconds);
        let seconds = offset % 60;
        let minutes = match self.zone {
            Zone::Utc => UTC,
            _ => i16::try_from(offset / 60).ok().filter(|&minutes| minutes != UTC).ok_or("unexpected zone offset")?,
        };
        let mut bytes = vec![VERSIONS[usize::from(seconds != 0)]];
        bytes.extend(self.seconds.wrapping_sub(ZERO).to_be_bytes());
        bytes.extend(self.nanoseconds.to_be_bytes());
        bytes.extend(minutes.to_be_bytes());
        if seconds != 0 {
            bytes.extend(seconds.to_be_bytes().last());
        }
        Ok(bytes)
    }
}
