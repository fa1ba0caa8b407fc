use num_bigint::BigUint;

use super::rsa::Numbers;
use super::{Curve, EcKey, OaepHash, PrivateKey, RsaKey};
use crate::error::Message;

/// What is wrong, in Go's words.
fn problem<T>(result: Result<T, Message>) -> String {
    result.err().map(|message| message.exact().to_owned()).unwrap_or_default()
}

/// A key of small primes: good for arithmetic, not for use.
fn small(d: u32, crt: Option<[u32; 3]>) -> Result<RsaKey, Message> {
    let [n, p, q, d] = [3233u32, 61, 53, d].map(BigUint::from);
    RsaKey::new(Numbers { n, e: 17, d, p, q, crt: crt.map(|numbers| numbers.map(BigUint::from)) })
}

#[test]
fn keys_read_back_as_they_were_written() {
    let keys = [
        PrivateKey::Rsa(small(2753, None).ok().unwrap()),
        PrivateKey::Ed25519([7; 32]),
        PrivateKey::X25519([8; 32]),
        PrivateKey::Ec(EcKey::new(Curve::P224, &[9]).unwrap()),
        PrivateKey::Ec(EcKey::new(Curve::P256, &[9]).unwrap()),
        PrivateKey::Ec(EcKey::new(Curve::P384, &[9]).unwrap()),
        PrivateKey::Ec(EcKey::new(Curve::P521, &[9]).unwrap()),
    ];
    for key in keys {
        let der = key.to_pkcs8();
        let again = PrivateKey::parse(&der).ok().unwrap();
        assert_eq!(again.to_pkcs8(), der);
    }
}

#[test]
fn numbers_that_do_not_fit_each_other_are_no_rsa_key() {
    assert!(small(2753, Some([53, 49, 38])).is_ok());
    assert_eq!(problem(small(2753, Some([54, 49, 38]))), "crypto/rsa: invalid CRT exponent");
    assert_eq!(problem(small(2753, Some([53, 49, 39]))), "crypto/rsa: invalid CRT coefficient");
    assert_eq!(problem(small(2755, Some([53, 49, 38]))), "crypto/rsa: d does not match dP");
    assert_eq!(problem(small(3233, None)), "input overflows the modulus");
}

#[test]
fn short_rsa_keys_do_not_decrypt() {
    let key = small(2753, None).ok().unwrap();
    assert!(problem(key.decrypt_oaep(OaepHash::Sha256, b"xx")).starts_with("crypto/rsa: 12-bit keys are insecure"));
}

#[test]
fn a_secret_must_be_below_the_order_of_its_curve() {
    for curve in [Curve::P224, Curve::P256, Curve::P384, Curve::P521] {
        assert!(EcKey::new(curve, &[0]).is_none(), "{curve:?}");
        assert!(EcKey::new(curve, &vec![0xff; curve.bytes()]).is_none(), "{curve:?}");
        assert!(EcKey::new(curve, &vec![1; curve.bytes() + 1]).is_none(), "{curve:?}");
    }
}

#[test]
fn public_points_lie_on_their_curves() {
    for curve in [Curve::P224, Curve::P256, Curve::P384, Curve::P521] {
        let key = EcKey::new(curve, &[1, 2, 3]).unwrap();
        assert_eq!(problem(curve.check_point(key.public())), "", "{curve:?}");
        let mut other = key.public().to_vec();
        *other.last_mut().unwrap() ^= 1;
        assert!(problem(curve.check_point(&other)).ends_with("point not on curve"), "{curve:?}");
        assert!(problem(curve.check_point(&other[..9])).ends_with("point encoding"), "{curve:?}");
    }
}

#[test]
fn what_is_no_key_is_called_so() {
    assert_eq!(problem(PrivateKey::parse(b"junk")), "unable to parse private key type");
    let sec1 = EcKey::new(Curve::P256, &[9]).unwrap().to_sec1();
    let hint = "x509: failed to parse private key (use ParseECPrivateKey instead for this key format)";
    assert_eq!(problem(PrivateKey::parse_pkcs8(&sec1)), hint);
}

#[test]
fn problems_quote_keys_only_in_the_exact_text() {
    let message = PrivateKey::parse_pkcs8(b"junk").err().unwrap();
    assert!(message.exact().contains("length:117"), "{}", message.exact());
    assert!(!message.redacted().contains("117"), "{}", message.redacted());
}
