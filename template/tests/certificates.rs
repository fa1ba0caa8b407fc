//! Certificates and keys that templates make, read by those who will use them: rustls' verifier and an X.509 parser.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use template::{Data, Error, Limits, Options, Template};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

/// 2030-01-01T00:00:00Z.
const NOW: u64 = 1_893_456_000;
const DAY: i64 = 86_400;

fn options() -> Options {
    // Primes are found by luck: none of these tests is about the deadline.
    let limits = Limits { deadline: Duration::from_mins(2), ..Limits::default() };
    Options { limits, now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW), ..Options::default() }
}

fn render_with(text: &str, options: &Options) -> Result<String, Error> {
    let data = Data::from_iter([("secret", "s3cr3t-value"), ("bytes", "x")]);
    let output = Template::parse("k", text.as_bytes(), &options.limits)?.render(&data, options)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn render(text: &str) -> Result<String, Error> {
    render_with(text, &options())
}

/// The certificates in the text that a template gives.
fn certificates(text: &str) -> Vec<CertificateDer<'static>> {
    let text = render(text).unwrap();
    CertificateDer::pem_slice_iter(text.as_bytes()).map(Result::unwrap).collect()
}

/// Runs `check` on the one certificate that a template gives.
fn with_certificate(text: &str, check: impl FnOnce(&X509Certificate)) {
    let der = certificates(text);
    assert_eq!(der.len(), 1);
    let (rest, certificate) = X509Certificate::from_der(&der[0]).unwrap();
    assert!(rest.is_empty());
    check(&certificate);
}

#[test]
fn a_signed_certificate_chains_to_its_authority() {
    let on_curve = |authority: &str, own: &str| {
        format!(
            "{{{{ $ca := genCAWithKey \"ca\" 9 (genPrivateKey \"{authority}\") }}}}{{{{ $c := genSignedCertWithKey \
             \"app\" (list \"10.0.0.7\" \"2001:db8::1\") (list \"app.svc\" \"*.app.svc\") 9 $ca (genPrivateKey \
             \"{own}\") }}}}{{{{ $ca.Cert }}}}{{{{ $c.Cert }}}}"
        )
    };
    let on_rsa = "{{ $ca := genCA \"ca\" 9 }}{{ $c := genSignedCert \"app\" (list \"10.0.0.7\" \"2001:db8::1\") (list \
                  \"app.svc\" \"*.app.svc\") 9 $ca }}{{ $ca.Cert }}{{ $c.Cert }}";
    for text in [on_curve("ecdsa", "ed25519"), on_curve("ed25519", "ecdsa"), on_rsa.to_owned()] {
        let chain = certificates(&text);
        let anchor = anchor_from_trusted_cert(&chain[0]).unwrap();
        let leaf = EndEntityCert::try_from(&chain[1]).unwrap();
        for name in ["app.svc", "x.app.svc", "10.0.0.7", "2001:db8::1"] {
            leaf.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap()).unwrap();
        }
        let other = ServerName::try_from("other.svc").unwrap();
        assert!(leaf.verify_is_valid_for_subject_name(&other).is_err());
        for usage in [KeyUsage::server_auth(), KeyUsage::client_auth()] {
            let at = |seconds| {
                let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
                let anchors = std::slice::from_ref(&anchor);
                leaf.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, &[], time, usage, None, None).map(drop)
            };
            assert_eq!(at(NOW + 60), Ok(()));
            assert!(at(NOW - 60).is_err(), "not yet valid");
            assert!(at(NOW + 10 * 86_400).is_err(), "expired");
        }
    }
}

#[test]
fn a_chain_to_another_authority_is_refused() {
    let chain = certificates(
        "{{ $k := genPrivateKey \"ecdsa\" }}{{ $other := genPrivateKey \"ecdsa\" }}{{ (genCAWithKey \"ca\" 9 \
         $other).Cert }}{{ (genSignedCertWithKey \"app\" nil (list \"a\") 9 (genCAWithKey \"ca\" 9 $k) $k).Cert }}",
    );
    let anchor = anchor_from_trusted_cert(&chain[0]).unwrap();
    let leaf = EndEntityCert::try_from(&chain[1]).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(NOW + 60));
    let usage = KeyUsage::server_auth();
    assert!(leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], &[], time, usage, None, None).is_err());
}

#[test]
fn an_authority_may_sign_and_says_what_names_its_key() {
    with_certificate("{{ (genCAWithKey \"ca\" 9 (genPrivateKey \"ecdsa\")).Cert }}", |ca| {
        assert_eq!((ca.subject().to_string(), ca.issuer().to_string()), ("CN=ca".to_owned(), "CN=ca".to_owned()));
        let constraints = ca.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        let usage = ca.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.digital_signature() && usage.value.key_encipherment());
        assert!(usage.value.key_cert_sign() && !usage.value.crl_sign());
        let purposes = ca.extended_key_usage().unwrap().unwrap();
        assert!(!purposes.critical && purposes.value.server_auth && purposes.value.client_auth);
        let has_id = |extension: &ParsedExtension| match extension {
            ParsedExtension::SubjectKeyIdentifier(id) => id.0.len() == 20,
            _ => false,
        };
        assert!(ca.extensions().iter().any(|extension| has_id(extension.parsed_extension())));
        assert_eq!(ca.extensions().len(), 4);
    });
}

#[test]
fn a_leaf_names_the_key_that_signed_it_and_may_not_sign() {
    let text = "{{ $k := genPrivateKey \"ecdsa\" }}{{ $ca := genCAWithKey \"ca\" 9 $k }}{{ $ca.Cert }}{{ \
                (genSignedCertWithKey \"app\" nil nil 9 $ca $k).Cert }}";
    let ders = certificates(text);
    let (_, ca) = X509Certificate::from_der(&ders[0]).unwrap();
    let (_, leaf) = X509Certificate::from_der(&ders[1]).unwrap();
    assert_eq!((leaf.subject().to_string(), leaf.issuer().to_string()), ("CN=app".to_owned(), "CN=ca".to_owned()));
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.value.digital_signature() && usage.value.key_encipherment() && !usage.value.key_cert_sign());
    let own = ca.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    });
    let named = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    });
    assert!(own.is_some());
    assert_eq!(own, named);
}

#[test]
fn a_certificate_says_the_names_it_was_asked_for_in_their_order() {
    let text = "{{ (genSelfSignedCertWithKey \"app\" (list \"10.0.0.7\" \"::1\" \"::ffff:1.2.3.4\") (list \"b.svc\" \
                \"a.svc\") 9 (genPrivateKey \"ed25519\")).Cert }}";
    with_certificate(text, |certificate| {
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let six: Vec<u8> = (0..16).map(|index| u8::from(index == 15)).collect();
        assert!(!names.critical);
        assert_eq!(
            names.value.general_names,
            [
                GeneralName::DNSName("b.svc"),
                GeneralName::DNSName("a.svc"),
                GeneralName::IPAddress(&[10, 0, 0, 7]),
                GeneralName::IPAddress(&six),
                GeneralName::IPAddress(&[1, 2, 3, 4]),
            ]
        );
    });
    let nameless = "{{ (genSelfSignedCertWithKey \"\" nil (list \"a\") 9 (genPrivateKey \"ed25519\")).Cert }}";
    with_certificate(nameless, |certificate| {
        assert_eq!(certificate.subject().iter().count(), 0);
        assert!(certificate.subject_alternative_name().unwrap().unwrap().critical);
    });
}

#[test]
fn a_certificate_is_valid_for_so_many_days_from_now() {
    let now = i64::try_from(NOW).unwrap();
    // 8000 days from here is beyond 2050; 106752 days are more nanoseconds than Go counts, and wrap around.
    for (days, end) in [(9, 9 * DAY), (0, 0), (-3, -3 * DAY), (8_000, 8_000 * DAY), (106_752, -9_223_371_274)] {
        let text = format!("{{{{ (genCAWithKey \"ca\" {days} (genPrivateKey \"ed25519\")).Cert }}}}");
        with_certificate(&text, |certificate| {
            assert_eq!(certificate.validity().not_before.timestamp(), now);
            assert_eq!(certificate.validity().not_after.timestamp(), now + end, "{days}");
        });
    }
}

#[test]
fn serial_numbers_are_positive_and_never_the_same() {
    let text = "{{ $k := genPrivateKey \"ed25519\" }}{{ range 20 }}{{ (genCAWithKey \"ca\" 1 $k).Cert }}{{ end }}";
    let mut serials: Vec<Vec<u8>> = certificates(text)
        .iter()
        .map(|der| X509Certificate::from_der(der).unwrap().1.tbs_certificate.raw_serial().to_vec())
        .collect();
    assert!(serials.iter().all(|serial| serial[0] < 0x80 && serial.len() <= 17));
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 20);
}

#[test]
fn keys_come_back_in_the_form_that_go_writes() {
    for (kind, begin) in [("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY"), ("dsa", "DSA PRIVATE KEY")] {
        let key = render(&format!("{{{{ genPrivateKey \"{kind}\" }}}}")).unwrap();
        assert!(key.starts_with(&format!("-----BEGIN {begin}-----\n")), "{kind}");
        assert!(key.ends_with(&format!("\n-----END {begin}-----\n")), "{kind}");
    }
    let text = "{{ $k := genPrivateKey \"ecdsa\" }}{{ eq (genCAWithKey \"ca\" 1 $k).Key $k }}";
    assert_eq!(render(text).unwrap(), "true");
    let text =
        "{{ $c := genCA \"ca\" 1 }}{{ $d := genCAWithKey \"ca\" 1 $c.Key }}{{ eq $c.Key $d.Key }} {{ eq $c $d }}";
    assert_eq!(render(text).unwrap(), "true false");
}

#[test]
fn a_certificate_prints_as_the_struct_that_it_is_in_go() {
    let made = "{{ $c := genCAWithKey \"ca\" 1 (genPrivateKey \"ed25519\") }}";
    for (text, wanted) in [
        ("{{ typeOf $c }} {{ kindOf $c }}", "sprig.certificate struct"),
        ("{{ $c | toString | trunc 12 }}", "{-----BEGIN "),
        ("{{ printf \"%+v\" $c | trunc 12 }}", "{Cert:-----B"),
        ("{{ printf \"%#v\" $c | trunc 26 }}", "sprig.certificate{Cert:\"--"),
        ("{{ printf \"%5.3s\" $c }}", "{  ---   ---}"),
        ("{{ toJson $c | trunc 20 }}", "{\"Cert\":\"-----BEGIN "),
        ("{{ toYaml $c | trunc 20 }}", "Cert: |\n  -----BEGIN"),
        ("{{ $d := buildCustomCert (b64enc $c.Cert) (b64enc $c.Key) }}{{ eq $c $d }}{{ deepEqual $c $d }}", "truetrue"),
    ] {
        assert_eq!(render(&format!("{made}{text}")).unwrap(), wanted, "{text}");
    }
    for (text, problem) in [
        ("{{ $c.Nope }}", "can't evaluate field Nope in type sprig.certificate"),
        ("{{ $c.Cert 1 }}", "Cert has arguments but cannot be invoked as function"),
        ("{{ index $c \"Cert\" }}", "error calling index: can't index item of type sprig.certificate"),
    ] {
        let error = render(&format!("{made}{text}")).unwrap_err();
        assert!(error.exact().ends_with(problem), "{text}: {}", error.exact());
    }
}

#[test]
fn keys_and_names_from_the_data_stay_out_of_messages() {
    for text in [
        "{{ genSelfSignedCertWithKey \"a\" (list .secret) nil 1 (genPrivateKey \"ecdsa\") }}",
        "{{ genSelfSignedCertWithKey \"a\" nil (list (print .secret \"\\xff\")) 1 (genPrivateKey \"ecdsa\") }}",
        "{{ genSelfSignedCertWithKey \"a\" nil (list (list .secret)) 1 (genPrivateKey \"ecdsa\") }}",
        "{{ genCAWithKey \"a\" 1 (printf \"-----BEGIN %s-----\\nMAA=\\n-----END %s-----\" .secret .secret) }}",
        "{{ range (buildCustomCert (b64enc .secret) (b64enc .secret)) }}{{ end }}",
        "{{ $c := genCAWithKey .secret 1 (genPrivateKey \"ecdsa\") }}{{ range $c }}{{ end }}",
        "{{ $c := genCAWithKey .secret 1 (genPrivateKey \"ecdsa\") }}{{ eq $c (dict) }}",
    ] {
        let error = render(text).unwrap_err();
        assert!(!error.redacted().contains("s3cr3t") && !error.redacted().contains("BEGIN CERT"), "{error}");
    }
}

#[test]
fn expensive_calls_have_a_budget_that_is_charged_before_the_work() {
    let with = |expensive_calls| Options { limits: Limits { expensive_calls, ..options().limits }, ..options() };
    for (text, units) in [
        ("{{ bcrypt \"p\" | len }}", 1),
        ("{{ htpasswd \"u\" \"p\" \"bcrypt\" | len }}", 1),
        ("{{ derivePassword 1 \"pin\" \"p\" \"u\" \"s\" | len }}", 3),
        ("{{ (genCA \"ca\" 1).Cert | empty }}", 2),
        ("{{ bcrypt \"p\" | len }}{{ (genSelfSignedCert \"ca\" nil nil 1).Cert | empty }}", 3),
    ] {
        assert!(render_with(text, &with(units)).is_ok(), "{text}");
        let error = render_with(text, &with(units - 1)).unwrap_err();
        assert!(
            error.redacted().contains(&format!("for {units} units of work, more than its {}", units - 1)),
            "{error}"
        );
    }
    let error = render_with("{{ genPrivateKey \"rsa\" }}", &with(7)).unwrap_err();
    assert!(error.redacted().contains("for 8 units of work, more than its 7"), "{error}");
    // Cheap ways out cost nothing.
    for text in
        ["{{ bcrypt (repeat 73 \"x\") }}", "{{ htpasswd \"u\" \"p\" \"sha\" }}", "{{ genPrivateKey \"ecdsa\" }}"]
    {
        assert!(render_with(text, &with(0)).is_ok(), "{text}");
    }
}

#[test]
fn an_authority_with_a_certificate_a_key_and_hashes_fits_the_default_budget() {
    let text = "{{ $ca := genCA \"ca\" 365 }}{{ $c := genSignedCert \"a\" nil (list \"a\") 90 $ca }}{{ $k := genPrivateKey \
                \"rsa\" }}{{ range 2 }}{{ $h := bcrypt \"p\" }}{{ end }}ok";
    assert_eq!(render(text).unwrap(), "ok");
}

#[test]
fn expensive_calls_stop_at_the_deadline() {
    let limits = Limits { deadline: Duration::ZERO, ..Limits::default() };
    let options = Options { limits, ..options() };
    for text in ["{{ bcrypt \"p\" }}", "{{ genPrivateKey \"rsa\" }}", "{{ genPrivateKey \"ecdsa\" }}"] {
        let error = render_with(text, &options).unwrap_err();
        assert!(error.redacted().contains("render takes longer than"), "{text}: {error}");
    }
}

#[test]
fn names_that_repeat_a_long_text_are_refused_before_they_are_written() {
    let text = "{{ $h := repeat 100000 \"x\" }}{{ $l := list $h }}{{ range 10 }}{{ $l = concat $l $l }}{{ end }}{{ \
                genSelfSignedCertWithKey \"a\" nil $l 1 (genPrivateKey \"ecdsa\") }}";
    let error = render(text).unwrap_err();
    assert!(error.redacted().contains("a value would be longer than"), "{error}");
}

#[test]
fn what_was_encrypted_decrypts_with_the_same_password_only() {
    for length in [1, 15, 16, 17, 31, 32, 33, 1_000] {
        let text = format!("{{{{ repeat {length} \"x\" | encryptAES .secret | decryptAES .secret | len }}}}");
        assert_eq!(render(&text).unwrap(), length.to_string());
    }
    assert_eq!(render("{{ eq (encryptAES \"p\" \"text\") (encryptAES \"p\" \"text\") }}").unwrap(), "false");
    let other = render("{{ encryptAES \"p\" \"text\" | decryptAES \"q\" }}");
    assert_ne!(other.ok().as_deref(), Some("text"));
}

/// Each text with one byte changed, in several ways and at each place, and cut off there.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |at| {
        let changed = [0x00, 0x7f, 0x80, 0xff].map(|value| {
            let mut copy = bytes.to_vec();
            copy[at] = value;
            copy
        });
        changed.into_iter().chain([bytes[..at].to_vec()])
    })
}

#[test]
fn damaged_keys_and_authorities_give_a_certificate_or_an_error() {
    let pem = |kind: &str| format!("printf \"-----BEGIN {kind}-----\\n%s\\n-----END {kind}-----\\n\" (b64enc .bytes)");
    let key = render("{{ genPrivateKey \"ecdsa\" }}").unwrap();
    let authority = format!("{{{{ (genCAWithKey \"ca\" 9 {key:?}).Cert }}}}");
    let with_key = format!("{{{{ genCAWithKey \"ca\" 1 ({}) }}}}", pem("EC PRIVATE KEY"));
    let with_authority = format!(
        "{{{{ $ca := buildCustomCert ({} | b64enc) (b64enc .key) }}}}{{{{ genSignedCertWithKey \"a\" nil nil 1 $ca \
         .key }}}}",
        pem("CERTIFICATE")
    );
    let key_der = STANDARD.decode(key.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let options = options();
    for (text, der) in [(with_key, key_der), (with_authority, certificates(&authority)[0].to_vec())] {
        let template = Template::parse("k", text.as_bytes(), &options.limits).unwrap();
        let outcome = |bytes: Vec<u8>| {
            let data = Data::from_iter([("bytes", bytes), ("key", key.clone().into_bytes())]);
            template.render(&data, &options).is_ok()
        };
        assert!(outcome(der.clone()), "{text}");
        let accepted = damaged(&der).filter(|bytes| outcome(bytes.clone())).count();
        assert!(accepted < damaged(&der).count(), "{text}");
    }
}
