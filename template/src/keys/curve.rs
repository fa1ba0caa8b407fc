//! The elliptic curves of NIST that Go knows.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::error::Message;

/// A curve `y² = x³ - 3x + b` over a prime field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P224,
    P256,
    P384,
    P521,
}

/// The numbers of a curve, in hexadecimal: prime of the field, order of the base point, `b`.
struct Numbers {
    prime: BigUint,
    order: BigUint,
    b: BigUint,
}

type Point = Option<(BigUint, BigUint)>;

impl Curve {
    const ALL: [Self; 4] = [Self::P224, Self::P256, Self::P384, Self::P521];

    /// Go's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P224 => "P-224",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate or a secret.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::P224 => 28,
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Bits of a coordinate.
    pub(super) fn bits(self) -> u64 {
        self.numbers().prime.bits()
    }

    pub(crate) fn oid(self) -> &'static [u8] {
        match self {
            Self::P224 => &[0x2b, 0x81, 0x04, 0, 0x21],
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[0x2b, 0x81, 0x04, 0, 0x22],
            Self::P521 => &[0x2b, 0x81, 0x04, 0, 0x23],
        }
    }

    pub(crate) fn of_oid(oid: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// The uncompressed form of a point.
    pub(crate) fn uncompressed(self, x: &BigUint, y: &BigUint) -> Vec<u8> {
        let padded = |number: &BigUint| {
            let digits = number.to_bytes_be();
            let mut out = vec![0; self.bytes().saturating_sub(digits.len())];
            out.extend_from_slice(&digits);
            out
        };
        [vec![4], padded(x), padded(y)].concat()
    }

    /// Refuses what is no point of the curve in uncompressed form, in Go's words.
    pub(crate) fn check_point(self, bytes: &[u8]) -> Result<(), Message> {
        let name = self.name().replace('-', "");
        let Some((4, coordinates)) = bytes.split_first() else {
            return Err("ecdsa: invalid uncompressed public key".into());
        };
        if coordinates.len() != 2 * self.bytes() {
            return Err(Message::plain(format!("invalid {name} point encoding")));
        }
        let (x, y) = coordinates.split_at(self.bytes());
        self.check_coordinates(&BigUint::from_bytes_be(x), &BigUint::from_bytes_be(y))
    }

    /// Refuses coordinates that are no point of the curve, in Go's words.
    pub(super) fn check_coordinates(self, x: &BigUint, y: &BigUint) -> Result<(), Message> {
        let name = self.name().replace('-', "");
        let Numbers { prime, b, .. } = self.numbers();
        if x >= prime || y >= prime {
            // Go has one curve in another hand's words.
            let space = if self == Self::P256 { " e" } else { "E" };
            return Err(Message::plain(format!("invalid {name}{space}lement encoding")));
        }
        let three_x = (x * 3u8) % prime;
        let right = (x * x * x + b + (prime - three_x)) % prime;
        if (y * y) % prime == right { Ok(()) } else { Err(Message::plain(format!("{name} point not on curve"))) }
    }

    /// Whether a secret is from 1 to below the order of the base point.
    pub(crate) fn is_secret(self, secret: &BigUint) -> bool {
        *secret != BigUint::ZERO && *secret < self.numbers().order
    }

    /// The public point of a secret on P-224, the one curve that the crypto library lacks. Takes time that depends on
    /// the secret; a template has no one watching it closely enough, and nobody makes new keys on this curve.
    pub(super) fn multiple(self, secret: &[u8]) -> Option<Vec<u8>> {
        let secret = BigUint::from_bytes_be(secret);
        if self != Self::P224 || !self.is_secret(&secret) {
            return None;
        }
        let prime = &self.numbers().prime;
        let base = Some((hex(P224_BASE[0]), hex(P224_BASE[1])));
        let mut sum: Point = None;
        for index in (0..secret.bits()).rev() {
            sum = add(prime, sum.as_ref(), sum.as_ref());
            if secret.bit(index) {
                sum = add(prime, sum.as_ref(), base.as_ref());
            }
        }
        sum.map(|(x, y)| self.uncompressed(&x, &y))
    }

    fn numbers(self) -> &'static Numbers {
        static NUMBERS: LazyLock<[Numbers; 4]> = LazyLock::new(|| {
            [P224, P256, P384, P521].map(|[prime, order, b]| Numbers {
                prime: hex(prime),
                order: hex(order),
                b: hex(b),
            })
        });
        match self {
            Self::P224 => &NUMBERS[0],
            Self::P256 => &NUMBERS[1],
            Self::P384 => &NUMBERS[2],
            Self::P521 => &NUMBERS[3],
        }
    }
}

/// Sum of two points of a curve with `a = -3`; None is the point at infinity.
fn add(prime: &BigUint, left: Option<&(BigUint, BigUint)>, right: Option<&(BigUint, BigUint)>) -> Point {
    let (Some((x1, y1)), Some((x2, y2))) = (left, right) else { return left.or(right).cloned() };
    let minus = |from: &BigUint, what: &BigUint| (from + prime - what) % prime;
    let slope = if x1 == x2 {
        if y1 != y2 || *y1 == BigUint::ZERO {
            return None;
        }
        let rise = minus(&((x1 * x1 * 3u8) % prime), &BigUint::from(3u8));
        rise * (y1 * 2u8 % prime).modinv(prime)?
    } else {
        minus(y2, y1) * minus(x2, x1).modinv(prime)?
    } % prime;
    let x = minus(&minus(&((&slope * &slope) % prime), x1), x2);
    let y = minus(&((slope * minus(x1, &x)) % prime), y1);
    Some((x, y))
}

/// Digits of a number that stands in this file.
fn hex(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 16).unwrap_or_default()
}

const P224_BASE: [&str; 2] = [
    "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
    "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34",
];
const P224: [&str; 3] = [
    "ffffffffffffffffffffffffffffffff000000000000000000000001",
    "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
    "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
];
const P256: [&str; 3] = [
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
];
const P384: [&str; 3] = [
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
];
const P521: [&str; 3] = [
    "1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
];
