use num_bigint::BigUint;
use sha2::{Digest as _, Sha256};

use super::dsa::{G, P, Q};
use super::{Key, generate, instant, is_printable};
use crate::keys::{Curve, EcKey, PrivateKey};
use crate::pem;
use crate::time::Time;

/// What `Q` and `P` were made from, and the place of `P` in the sequence.
const SEED_TEXT: &[u8] = b"DSA parameters of the templates of external-secrets-rs";
const SEED_STEPS: u32 = 68;
const COUNTER: u32 = 269;

fn number(digits: &[u8]) -> BigUint {
    BigUint::parse_bytes(digits, 16).unwrap()
}

fn hashed(number: &BigUint) -> BigUint {
    BigUint::from_bytes_be(&Sha256::digest(number.to_bytes_be()))
}

#[test]
fn the_numbers_of_dsa_follow_from_their_seed() {
    let (p, q, g) = (number(P), number(Q), number(G));
    let one = BigUint::from(1u8);
    let seed = BigUint::from_bytes_be(&Sha256::digest(SEED_TEXT)) + SEED_STEPS;
    let half = &one << 255u32;
    let tail = hashed(&seed) % &half;
    assert_eq!(q, &half + &tail + &one - (&tail % 2u8));
    // Eight hashes make one candidate.
    let first = &seed + 1u8 + 8 * COUNTER;
    let bits = (0..8u32).fold(BigUint::ZERO, |sum, index| sum | (hashed(&(&first + index)) << (256 * index)));
    let candidate = (bits % (&one << 2047u32)) + (&one << 2047u32);
    assert_eq!(p, &candidate - (&candidate % (&q * 2u8)) + &one);
    let label = [seed.to_bytes_be().as_slice(), b"ggen", &[1, 0, 1]].concat();
    let base = BigUint::from_bytes_be(&Sha256::digest(label));
    assert_eq!(g, base.modpow(&((&p - &one) / &q), &p));
}

#[test]
fn the_numbers_of_dsa_make_a_group() {
    let (p, q, g) = (number(P), number(Q), number(G));
    let one = BigUint::from(1u8);
    assert_eq!((p.bits(), q.bits()), (2048, 256));
    assert_eq!((&p - &one) % &q, BigUint::ZERO);
    assert_eq!(g.modpow(&q, &p), one);
    for prime in [&p, &q] {
        for base in [2u8, 3, 5] {
            assert_eq!(BigUint::from(base).modpow(&(prime - &one), prime), one);
        }
    }
}

#[test]
fn made_keys_read_back_as_they_were_written() {
    for key in [generate::ecdsa().unwrap(), generate::ed25519().unwrap()] {
        let text = key.to_pem().unwrap();
        assert_eq!(Key::parse(&text).unwrap().to_pem().unwrap(), text);
    }
    let dsa = generate::dsa().unwrap();
    assert!(matches!(Key::parse(&dsa), Ok(Key::Dsa)));
}

#[test]
fn made_keys_differ() {
    assert_ne!(generate::dsa().unwrap(), generate::dsa().unwrap());
    assert_ne!(generate::ecdsa().unwrap().to_pem().unwrap(), generate::ecdsa().unwrap().to_pem().unwrap());
    assert_ne!(generate::ed25519().unwrap().to_pem().unwrap(), generate::ed25519().unwrap().to_pem().unwrap());
}

#[test]
fn signatures_hold_under_the_public_key() {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, UnparsedPublicKey,
        VerificationAlgorithm,
    };
    let ec = |curve, length| {
        let key = EcKey::new(curve, &vec![7; length]).unwrap();
        let public = key.public().to_vec();
        (Key::Known(PrivateKey::Ec(key)), public)
    };
    let seed = [3; 32];
    let ed25519_public = {
        use aws_lc_rs::signature::KeyPair as _;
        super::key::ed25519(&seed).unwrap().public_key().as_ref().to_vec()
    };
    let check = |(key, public): (Key, Vec<u8>), algorithm: &'static dyn VerificationAlgorithm| {
        let signature = key.sign(b"text").unwrap();
        let public = UnparsedPublicKey::new(algorithm, public);
        assert!(public.verify(b"text", &signature).is_ok());
        assert!(public.verify(b"other", &signature).is_err());
    };
    check(ec(Curve::P256, 32), &ECDSA_P256_SHA256_ASN1);
    check(ec(Curve::P384, 48), &ECDSA_P384_SHA384_ASN1);
    check(ec(Curve::P521, 65), &ECDSA_P521_SHA512_ASN1);
    check((Key::Known(PrivateKey::Ed25519(seed)), ed25519_public), &ED25519);
}

#[test]
fn keys_that_cannot_sign_say_so() {
    let p224 = EcKey::new(Curve::P224, &[7; 28]).unwrap();
    let problem = Key::Known(PrivateKey::Ec(p224)).sign(b"text").unwrap_err();
    assert_eq!(problem.exact(), "keys on P-224 cannot sign; use P-256");
    let problem = Key::Known(PrivateKey::X25519([1; 32])).signature_algorithm().unwrap_err();
    assert_eq!(problem.exact(), "x509: certificate private key does not implement crypto.Signer");
}

#[test]
fn blocks_that_hold_no_key_are_named() {
    let problem = |kind: &str| Key::parse(&pem::encode(kind, &[0x30, 0])).map(|_| ()).unwrap_err();
    assert_eq!(problem("PUBLIC KEY").exact(), "no private key data in PEM block of type PUBLIC KEY");
    assert_eq!(problem("ENCRYPTED PRIVATE KEY").exact(), "invalid private key type ENCRYPTED PRIVATE KEY");
    assert_eq!(
        problem("DSA PRIVATE KEY").exact(),
        "parsing DSA private key from PEM: asn1: syntax error: sequence truncated"
    );
    assert_eq!(problem("PUBLIC KEY").redacted(), "no private key data in PEM block of type [hidden]");
}

#[test]
fn years_that_two_digits_cannot_say_are_written_in_full() {
    let at = |seconds| instant(&Time::unix(seconds));
    assert_eq!(at(-631_152_001), b"\x18\x0f19491231235959Z");
    assert_eq!(at(-631_152_000), b"\x17\x0d500101000000Z");
    assert_eq!(at(2_524_607_999), b"\x17\x0d491231235959Z");
    assert_eq!(at(2_524_608_000), b"\x18\x0f20500101000000Z");
}

#[test]
fn stars_and_ampersands_are_not_printable() {
    assert!(b"aZ9 '()+,-./:=?".iter().all(|&byte| is_printable(byte)));
    assert!(!b"*&@_\"\x00\xc3".iter().any(|&byte| is_printable(byte)));
}
