//! DER, the encoding of keys, certificates and PKCS#12.
//!
//! Go reads it in two ways with different strictness and complaints, and so do we: [`fields`] for keys and PKCS#12,
//! [`cursor`] for certificates. Both borrow from the input, so lengths are bounded by it. [`write`] makes DER.

pub(crate) mod cursor;
pub(crate) mod fields;
pub(crate) mod oid;
pub(crate) mod write;
