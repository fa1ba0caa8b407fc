//! RSA private keys of two primes.

use num_bigint::BigUint;

use super::{ec, is_pkcs8, other_form};
use crate::der::fields::{Fields, Kind, check_integer, list, syntax};
use crate::der::write;
use crate::error::Message;

/// Largest modulus in bits. Work on a key grows with the square of its length, and no key in use is longer.
const MAX_BITS: u64 = 16_384;
/// Shorter keys do nothing, as in Go.
const MIN_BITS: u64 = 1024;
/// The lengths that the crypto library takes. Go takes others too, and so do we, with less protection of the key against
/// someone who measures time.
pub(super) const LIBRARY_BITS: std::ops::RangeInclusive<u64> = 2048..=8192;
/// The largest public exponent that Go takes.
const MAX_EXPONENT: i64 = i32::MAX as i64;

/// A prime behind the first two, with what follows from it.
const PRIME: Kind = Kind::structure("pkcs1AdditionalRSAPrime");

/// A key whose numbers fit each other.
#[derive(Clone)]
pub(crate) struct RsaKey {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
    dp: BigUint,
    dq: BigUint,
    q_inverse: BigUint,
}

/// The numbers as they are written, not yet held against each other.
pub(crate) struct Numbers {
    pub(crate) n: BigUint,
    pub(crate) e: i64,
    pub(crate) d: BigUint,
    pub(crate) p: BigUint,
    pub(crate) q: BigUint,
    /// What the first two primes give; computed when absent.
    pub(crate) crt: Option<[BigUint; 3]>,
}

impl RsaKey {
    /// A key in PKCS#1.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Message> {
        let written = read(der).map_err(|problem| {
            if ec::read(der).is_ok() {
                other_form("ParseECPrivateKey")
            } else if is_pkcs8(der) {
                other_form("ParsePKCS8PrivateKey")
            } else {
                problem
            }
        })?;
        written.checked().and_then(Self::new)
    }

    /// The key of numbers that fit each other.
    pub(crate) fn new(numbers: Numbers) -> Result<Self, Message> {
        let Numbers { n, e, d, p, q, crt } = numbers;
        if n.bits() > MAX_BITS {
            return Err(Message::plain(format!(
                "RSA keys of more than {MAX_BITS} bits are refused; use a shorter key"
            )));
        }
        let one = BigUint::from(1u8);
        if n <= one || p <= one || q <= one {
            return Err("modulus must be > 1".into());
        }
        fits(&d, &n)?;
        crt.iter().try_for_each(|[.., q_inverse]| fits(q_inverse, &p))?;
        let e = public_exponent(&n, e)?;
        // Without the values that follow from the primes, Go computes them first and stumbles over this.
        for (name, prime) in [("p", &p), ("q", &q)] {
            if crt.is_none() && !prime.bit(0) {
                return Err(Message::plain(format!("crypto/rsa: {name} is even")));
            }
        }
        if &p * &q != n {
            return Err("crypto/rsa: p * q != n".into());
        }
        let (p1, q1) = (&p - &one, &q - &one);
        let [dp, dq, q_inverse] = match crt {
            Some(crt) => crt,
            None => [&d % &p1, &d % &q1, q.modinv(&p).unwrap_or_default()],
        };
        if (&e * &dp) % &p1 != one || (&e * &dq) % &q1 != one || dp >= p || dq >= q {
            return Err("crypto/rsa: invalid CRT exponent".into());
        }
        if (&q * &q_inverse) % &p != one {
            return Err("crypto/rsa: invalid CRT coefficient".into());
        }
        for (name, modulus, part) in [("dP", &p1, &dp), ("dQ", &q1, &dq)] {
            if &d % modulus != *part {
                return Err(Message::plain(format!("crypto/rsa: d does not match {name}")));
            }
        }
        Ok(Self { n, e, d, p, q, dp, dq, q_inverse })
    }

    /// The key in PKCS#1.
    pub(crate) fn to_pkcs1(&self) -> Vec<u8> {
        let Self { n, e, d, p, q, dp, dq, q_inverse } = self;
        let numbers: Vec<u8> = [n, e, d, p, q, dp, dq, q_inverse]
            .iter()
            .flat_map(|number| write::unsigned(&number.to_bytes_be()))
            .collect();
        write::sequence(&[&write::int(0), &numbers])
    }

    /// The public key in PKCS#1.
    pub(crate) fn to_public_pkcs1(&self) -> Vec<u8> {
        let [n, e] = [&self.n, &self.e].map(|number| write::unsigned(&number.to_bytes_be()));
        write::sequence(&[&n, &e])
    }

    /// Length of the modulus in bits.
    pub(crate) fn bits(&self) -> u64 {
        self.n.bits()
    }

    /// Refuses a key that is too short to protect anything.
    pub(super) fn check_length(&self) -> Result<(), Message> {
        let bits = self.bits();
        if bits >= MIN_BITS {
            return Ok(());
        }
        Err(Message::plain("crypto/rsa: ")
            .data(bits.to_string())
            .text("-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"))
    }

    /// The same key with the larger prime first, which some libraries insist on.
    pub(super) fn canonical(self) -> Self {
        if self.p > self.q {
            return self;
        }
        let q_inverse = self.p.modinv(&self.q).unwrap_or_default();
        let Self { n, e, d, p, q, dp, dq, .. } = self;
        Self { n, e, d, p: q, q: p, dp: dq, dq: dp, q_inverse }
    }

    /// `base` to the private exponent; None when it is not below the modulus. The base is multiplied with a random number
    /// first, so that the time which this takes tells nothing about it.
    pub(super) fn power(&self, base: &BigUint) -> Option<BigUint> {
        if *base >= self.n {
            return None;
        }
        let mut random = vec![0; usize::try_from(self.n.bits() / 8).ok()?];
        getrandom::fill(&mut random).ok()?;
        let factor = BigUint::from_bytes_be(&random) % &self.n;
        let inverse = factor.modinv(&self.n)?;
        let blinded = (factor.modpow(&self.e, &self.n) * base) % &self.n;
        Some((blinded.modpow(&self.d, &self.n) * inverse) % &self.n)
    }
}

/// A key in PKCS#1 as it is written.
pub(super) struct Written<'a> {
    version: i64,
    numbers: Numbers,
    /// Of the three that follow from the primes, those that are there.
    crt: Vec<BigUint>,
    has_more_primes: bool,
    rest: &'a [u8],
}

impl Written<'_> {
    /// The numbers if the key is of a form that we take and none of them is zero. Negative ones were read as zero.
    fn checked(self) -> Result<Numbers, Message> {
        let Self { version, numbers, crt, has_more_primes, rest } = self;
        if !rest.is_empty() {
            return Err(syntax("trailing data"));
        }
        if version > 1 {
            return Err("x509: unsupported private key version".into());
        }
        let own = [&numbers.n, &numbers.d, &numbers.p, &numbers.q];
        if own.into_iter().chain(&crt).any(|number| *number == BigUint::ZERO) {
            return Err("x509: private key contains zero or negative value".into());
        }
        if has_more_primes {
            return Err("RSA keys of more than two primes are refused; use a key of two primes".into());
        }
        Ok(Numbers { crt: crt.try_into().ok(), ..numbers })
    }
}

/// Refuses a number that is not below the modulus.
fn fits(number: &BigUint, modulus: &BigUint) -> Result<(), Message> {
    if number < modulus {
        return Ok(());
    }
    // Go counts in words of 64 bits.
    let words = |number: &BigUint| number.bits().div_ceil(64);
    let size = if words(number) > words(modulus) { " size" } else { "" };
    Err(Message::plain(format!("input overflows the modulus{size}")))
}

/// What Go asks of a public key, and the exponent as a number of any size.
fn public_exponent(n: &BigUint, e: i64) -> Result<BigUint, Message> {
    let problem = match e {
        _ if !n.bit(0) => "public modulus is even",
        ..2 => "public exponent too small or negative",
        _ if e & 1 == 0 => "public exponent is even",
        _ if e > MAX_EXPONENT => "public exponent too large",
        _ => return Ok(BigUint::from(e.unsigned_abs())),
    };
    Err(Message::plain("crypto/rsa: ").text(problem))
}

/// Reads PKCS#1. A negative number reads as zero.
pub(super) fn read(der: &[u8]) -> Result<Written<'_>, Message> {
    let mut outer = Fields::new(der);
    let mut fields = outer.structure("pkcs1PrivateKey")?;
    let version = fields.int()?;
    let modulus = number(fields.big()?);
    let exponent = fields.int()?;
    let [d, p, q] = [number(fields.big()?), number(fields.big()?), number(fields.big()?)];
    let mut crt = Vec::new();
    while crt.len() < 3
        && let Some(content) = fields.optional(Kind::BIG)?
    {
        check_integer(content)?;
        crt.push(number(content));
    }
    let more_primes = list(fields.optional(Kind::LIST)?.unwrap_or_default(), PRIME)?;
    let has_more_primes = !more_primes.is_empty();
    for mut prime in more_primes {
        for _ in 0..3 {
            prime.big()?;
        }
    }
    let numbers = Numbers { n: modulus, e: exponent, d, p, q, crt: None };
    Ok(Written { version, numbers, crt, has_more_primes, rest: outer.rest() })
}

fn number(content: &[u8]) -> BigUint {
    if content.first().is_some_and(|first| first & 0x80 != 0) { BigUint::ZERO } else { BigUint::from_bytes_be(content) }
}
