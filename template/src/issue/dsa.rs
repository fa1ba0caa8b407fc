//! DSA keys of 2048 and 256 bits, in the PEM form of OpenSSL's old days.
//!
//! The prime numbers of a DSA key are public and may be shared, as those of an elliptic curve are; finding new ones for
//! each key would take a second or more. Ours were made once by FIPS 186-4 from a seed that leaves no choice, and a
//! test holds them against it.

use num_bigint::BigUint;

use super::generate::fill;
use crate::der::fields::Fields;
use crate::der::write;
use crate::error::Message;
use crate::pem;

/// The prime of the field, by FIPS 186-4 A.1.1.2 with SHA-256 and the counter 269. The seed,
/// de3d990e9b00e4b535c1abe6be3967079cef4ca97d13330fcec3e4942f9e1a96, is the SHA-256 of
/// `DSA parameters of the templates of external-secrets-rs`, plus 68: the first that gives two primes.
pub(super) const P: &[u8] = b"\
     89df4e75e8b1b260debd063a5d11df37331dd8b14acaec04405d8a95164a3fb5f7990d97d5fd133b690bf212d794081bbfb4\
     e7404663d53bd3d34415883c1e66de09fc09df6b927ff997c4e053d9fa3896cd3923147e66f5bff6026f826b8e2677171063\
     605410ff267f8f696194500142aaf14e7deac85d770cfb2798c6d2e68cc297a76815099bf8f6ed4b6e1b41f66a956def7f9e\
     95adc11371399020575981dc3e9cd952a2400d54a5f9e4fe963f64d50fb47b458ce867fe41c529cc0a1ca54edadee247d931\
     c6ed0e678e41e324a3b8faddbab390b9188445fc5b9306c7859da9d062d669cf7b6d0bc3a91c1003f081e1eb477ff47509b7\
     adf7c528485b";
/// The prime order of the group.
pub(super) const Q: &[u8] = b"aae90399e9189bcf0aa9be3122db3118337a3be44ec845cdc2e801db0456cfaf";
/// The generator of the group, by FIPS 186-4 A.2.3 with the index 1.
pub(super) const G: &[u8] = b"\
     7060479d02e9b75990f26800fcecda331e1a240f82918a412d2071d0e34b2e23836939a9eae6a55831acc2a9288f62f7a1ba\
     1d6de032a2adb76039d459982d9e00623176f7818f93dda3247b5e75ee42dc18b7252d74a716db2735584ef3e82ee5bdc1b6\
     4ddae0c011d5fb162bd5f0fa3a77ba7669630e0b2e9d34e594148df441982588bb4045f6ed9dad6da0f0e67115b41fcf4676\
     d747a56ed19cce4cddc69af17c4bda3acdb9e3e5d96e5dded760d94aef7b672328d2c2655fbd7dfad8d1114330b76035832e\
     26a08ef33bfc0d5cff5226188d0b1e001ef2b5996559dd1dfdf6bec4c767333acf66e969dff7d684e5037b65ea8648fe751c\
     d144b6b1d757";

/// Bytes of randomness for a secret: 64 bits more than the order has, so that the rest of a division favours none.
const SECRET_BYTES: usize = 40;

/// A new key as PEM.
pub(crate) fn generate() -> Result<Vec<u8>, Message> {
    let [p, q, g] = [P, Q, G].map(number);
    let mut random = [0; SECRET_BYTES];
    fill(&mut random)?;
    let secret = BigUint::from_bytes_be(&random) % (&q - 1u8) + 1u8;
    let public = g.modpow(&secret, &p);
    let numbers: Vec<u8> =
        [p, q, g, public, secret].iter().flat_map(|number| write::unsigned(&number.to_bytes_be())).collect();
    Ok(pem::encode("DSA PRIVATE KEY", &write::sequence(&[&write::int(0), &numbers])))
}

/// Whether the bytes are a key in that form.
pub(super) fn check(der: &[u8]) -> Result<(), Message> {
    let mut fields = Fields::new(der).structure("DSAKeyFormat")?;
    fields.int()?;
    for _number in 0..5 {
        fields.big()?;
    }
    Ok(())
}

fn number(digits: &[u8]) -> BigUint {
    BigUint::parse_bytes(digits, 16).unwrap_or_default()
}
