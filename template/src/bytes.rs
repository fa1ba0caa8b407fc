//! Byte strings that leave no trace: what a template works on and makes is secret as a rule.
//!
//! Memory is overwritten when the last owner of a byte string goes, and when a buffer grows out of its place. What the
//! compiler keeps in registers and what libraries copy for themselves is out of reach.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use zeroize::optimization_barrier;

/// What a buffer has room for when it begins to be filled: enough for most values, so that few are copied when they
/// grow.
const LEAST_CAPACITY: usize = 64;

/// A byte string shared between data, templates and values. Overwritten when its last owner goes; two threads that
/// drop the last two owners in the same instant may both leave that to the other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bytes(Arc<[u8]>);

impl Drop for Bytes {
    fn drop(&mut self) {
        // The count is cheap to read, and most owners are not the last.
        if Arc::strong_count(&self.0) == 1
            && let Some(bytes) = Arc::get_mut(&mut self.0)
        {
            wipe(bytes);
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(mut bytes: Vec<u8>) -> Self {
        let shared = Self(bytes.as_slice().into());
        // Behind the end may lie what was there before the vector became shorter.
        bytes.resize(bytes.capacity(), 0);
        wipe(&mut bytes);
        shared
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// Says how long it is, not what it holds.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A byte string under construction, which never becomes shorter. Overwritten when it is dropped before it is finished,
/// and where it was before it grew.
#[derive(Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// Room for so many bytes, to begin with.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn fill(&mut self, byte: u8, count: usize) {
        self.reserve(count);
        self.0.resize(self.0.len().saturating_add(count), byte);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Makes room, by twice the size at least, and overwrites the place that is left.
    fn reserve(&mut self, more: usize) {
        let needed = self.0.len().saturating_add(more);
        if needed <= self.0.capacity() {
            return;
        }
        let doubled = self.0.capacity().saturating_mul(2);
        let mut grown = Vec::with_capacity(needed.max(doubled).max(LEAST_CAPACITY));
        grown.extend_from_slice(&self.0);
        wipe(&mut self.0);
        self.0 = grown;
    }
}

impl<'b> Extend<&'b u8> for Buffer {
    fn extend<I: IntoIterator<Item = &'b u8>>(&mut self, bytes: I) {
        for byte in bytes {
            self.push(*byte);
        }
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        // The buffer overwrites itself.
        Self(buffer.0.as_slice().into())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes by a plain fill, which is many times faster than volatile writes one by one, and keeps the compiler
/// from leaving it out because nobody reads the zeros.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_as_a_vector_does() {
        let mut buffer = Buffer::default();
        let mut vector = Vec::new();
        for round in 0..200u8 {
            let piece = vec![round; usize::from(round) % 7];
            buffer.extend_from_slice(&piece);
            vector.extend_from_slice(&piece);
            buffer.fill(round, 3);
            vector.resize(vector.len() + 3, round);
        }
        assert_eq!(&*buffer, &vector);
        assert_eq!(buffer.finish(), vector);
    }

    #[test]
    fn bytes_stay_while_somebody_owns_them() {
        let first = Bytes::from(b"s3cr3t".to_vec());
        let second = first.clone();
        drop(first);
        assert_eq!(&*second, b"s3cr3t");
        assert_eq!(format!("{second:?}"), "6 bytes");
    }
}
