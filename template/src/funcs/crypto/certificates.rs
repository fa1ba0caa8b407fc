//! Private keys and certificates: the `gen…` family and `buildCustomCert`.

use std::net::IpAddr;
use std::rc::Rc;

use aws_lc_rs::rsa::KeySize;

use super::super::Type::{Int, List, Object as ObjectType, Str};
use super::super::encoding::base64_decoded;
use super::super::{Args, Function, Type, doc};
use super::cost;
use crate::context::Context;
use crate::data::Bytes;
use crate::error::Message;
use crate::fmt::print_verb;
use crate::issue::{Key, Request, generate};
use crate::object::Object;
use crate::pem;
use crate::time::Time;
use crate::value::Value;
use crate::x509::Certificate;

/// Go's name of the type that certificates have.
const CERTIFICATE: Type = ObjectType("sprig.certificate");
/// What checking a key, signing or making a key on a curve is charged as; a few of them pass between two looks at the
/// clock.
const STEPS_PER_KEY: usize = 2_000;
/// What making a DSA key is charged as beside that: a power modulo a number of 2048 bits, in plain code.
const STEPS_PER_DSA_KEY: usize = 20_000;
const NANOSECONDS_PER_DAY: i64 = 24 * 3_600 * 1_000_000_000;

pub(in crate::funcs) const FUNCTIONS: &[Function] = &[
    Function::new(
        "genPrivateKey",
        &[Str],
        Str,
        doc(
            "A new private key as PEM: `ecdsa` (P-256), `ed25519`, `rsa` (4096 bits, slow; also for the empty text) \
             or `dsa`. **Any other kind gives an error text as the result.** Another one at every refresh.",
            r#"{{ genPrivateKey "ecdsa" | trunc 30 }}"#,
            "-----BEGIN EC PRIVATE KEY-----",
        ),
        gen_private_key,
    ),
    Function::new(
        "buildCustomCert",
        &[Str, Str],
        CERTIFICATE,
        doc(
            "A certificate with its private key, both in base 64 of PEM, for `genSignedCert` and its like. They are \
             not held against each other before something is signed.",
            "{{ $key := genPrivateKey \"ed25519\" }}{{ (buildCustomCert (index . \"tls.crt\" | b64enc) (b64enc \
             $key)).Key | eq $key }}",
            "true",
        ),
        build_custom_cert,
    ),
    Function::new(
        "genCA",
        &[Str, Int],
        CERTIFICATE,
        doc(
            "A new certificate authority with that name, valid for so many days, and its RSA key of 2048 bits. What \
             comes back has the fields `.Cert` and `.Key`, both PEM. Another one at every refresh: use \
             `refreshPolicy: CreatedOnce`.",
            r#"{{ $ca := genCA "internal" 365 }}{{ $ca.Cert | trunc 27 }} {{ $ca.Key | trunc 31 }}"#,
            "-----BEGIN CERTIFICATE----- -----BEGIN RSA PRIVATE KEY-----",
        ),
        |context, args| gen_ca(context, args, None),
    ),
    Function::new(
        "genCAWithKey",
        &[Str, Int, Str],
        CERTIFICATE,
        doc(
            "As `genCA`, for a private key in PEM: RSA, ECDSA or Ed25519.",
            r#"{{ $ca := genCAWithKey "internal" 365 (genPrivateKey "ecdsa") }}{{ $ca.Key | trunc 30 }}"#,
            "-----BEGIN EC PRIVATE KEY-----",
        ),
        |context, args| gen_ca(context, args, Some(args.str(2))),
    ),
    Function::new(
        "genSelfSignedCert",
        &[Str, List, List, Int],
        CERTIFICATE,
        doc(
            "A new certificate that is signed by its own key, for a name, a list of IP addresses, a list of DNS names \
             and days. Either list may be `nil`.",
            r#"{{ $c := genSelfSignedCert "app" (list "10.0.0.7") (list "app.svc") 90 }}{{ $c.Cert | trunc 27 }}"#,
            "-----BEGIN CERTIFICATE-----",
        ),
        |context, args| gen_self_signed(context, args, None),
    ),
    Function::new(
        "genSelfSignedCertWithKey",
        &[Str, List, List, Int, Str],
        CERTIFICATE,
        doc(
            "As `genSelfSignedCert`, for a private key in PEM.",
            "{{ $c := genSelfSignedCertWithKey \"app\" nil (list \"app.svc\") 90 (genPrivateKey \"ed25519\") }}{{ \
             $c.Key | trunc 27 }}",
            "-----BEGIN PRIVATE KEY-----",
        ),
        |context, args| gen_self_signed(context, args, Some(args.str(4))),
    ),
    Function::new(
        "genSignedCert",
        &[Str, List, List, Int, CERTIFICATE],
        CERTIFICATE,
        doc(
            "As `genSelfSignedCert`, signed by an authority from `genCA` or `buildCustomCert`.",
            "{{ $ca := genCA \"internal\" 365 }}{{ $c := genSignedCert \"app\" nil (list \"app.svc\") 90 $ca }}{{ \
             $c.Cert | trunc 27 }}",
            "-----BEGIN CERTIFICATE-----",
        ),
        |context, args| gen_signed(context, args, None),
    ),
    Function::new(
        "genSignedCertWithKey",
        &[Str, List, List, Int, CERTIFICATE, Str],
        CERTIFICATE,
        doc(
            "As `genSignedCert`, for a private key in PEM.",
            "{{ $key := genPrivateKey \"ecdsa\" }}{{ $ca := genCAWithKey \"internal\" 365 $key }}{{ \
             (genSignedCertWithKey \"app\" nil (list \"app.svc\") 90 $ca $key).Key | eq $key }}",
            "true",
        ),
        |context, args| gen_signed(context, args, Some(args.str(5))),
    ),
];

fn gen_private_key(context: &mut Context, args: &Args) -> Result<Value, Message> {
    context.spend(STEPS_PER_KEY)?;
    let key = match args.str(0) {
        b"" | b"rsa" => {
            context.spend_expensive(cost::RSA_4096)?;
            generate::rsa(KeySize::Rsa4096)?.to_pem()
        }
        b"ecdsa" => generate::ecdsa()?.to_pem(),
        b"ed25519" => generate::ed25519()?.to_pem(),
        b"dsa" => {
            context.spend(STEPS_PER_DSA_KEY)?;
            generate::dsa()
        }
        other => Ok([b"Unknown type ", other].concat()),
    };
    key.map(Value::str)
}

fn build_custom_cert(context: &mut Context, args: &Args) -> Result<Value, Message> {
    context.spend(STEPS_PER_KEY)?;
    let cert = base64_decoded(args.str(0)).map_err(|_| Message::plain("unable to decode base64 certificate"))?;
    let key = base64_decoded(args.str(1)).map_err(|_| Message::plain("unable to decode base64 private key"))?;
    parent(&cert)?;
    Key::parse(&key).map_err(|problem| Message::plain("error parsing private key: ").then(&problem))?;
    certificate(context, cert, key)
}

fn gen_ca(context: &Context, args: &Args, key: Option<&[u8]>) -> Result<Value, Message> {
    let request = request(context, args.str(0), args.int(1), true);
    issue(context, &request, &subject_key(context, key)?, None)
}

fn gen_self_signed(context: &Context, args: &Args, key: Option<&[u8]>) -> Result<Value, Message> {
    let given = key.map(|key| subject_key(context, Some(key))).transpose()?;
    let request = named_request(context, args)?;
    let key = given.map_or_else(|| subject_key(context, None), Ok)?;
    issue(context, &request, &key, None)
}

fn gen_signed(context: &Context, args: &Args, key: Option<&[u8]>) -> Result<Value, Message> {
    let given = key.map(|key| subject_key(context, Some(key))).transpose()?;
    let request = named_request(context, args)?;
    let Value::Object(authority) = args.value(4) else { return Err("authority is no certificate".into()) };
    let Object::Certificate { cert, key: authority_key } = authority.as_ref() else {
        return Err("authority is no certificate".into());
    };
    context.spend_on_bytes(cert.len().saturating_add(authority_key.len()))?;
    let parent = parent(cert)?;
    let signer = parsed_key(context, authority_key)?;
    let key = given.map_or_else(|| subject_key(context, None), Ok)?;
    issue(context, &request, &key, Some((&parent, &signer)))
}

/// The key in a text, or a new one.
fn subject_key(context: &Context, given: Option<&[u8]>) -> Result<Key, Message> {
    if let Some(text) = given {
        return parsed_key(context, text);
    }
    context.spend_expensive(cost::RSA_2048)?;
    generate::rsa(KeySize::Rsa2048)
}

fn parsed_key(context: &Context, text: &[u8]) -> Result<Key, Message> {
    context.spend(STEPS_PER_KEY)?;
    Key::parse(text).map_err(|problem| Message::plain("parsing private key: ").then(&problem))
}

/// The certificate in the first PEM block, of whatever type that is.
fn parent(text: &[u8]) -> Result<Certificate, Message> {
    let Some((block, _)) = pem::decode(text) else { return Err("unable to decode certificate".into()) };
    Certificate::parse(&block.bytes)
        .map_err(|problem| Message::plain("error parsing certificate: decodedCert.Bytes: ").then(&problem))
}

fn request<'a>(context: &Context, name: &'a [u8], days: i64, is_ca: bool) -> Request<'a> {
    let not_before = Time::from_system(context.now());
    // Go's duration wraps around, which the days of three centuries reach.
    let not_after = not_before.plus(days.wrapping_mul(NANOSECONDS_PER_DAY));
    Request { name, hosts: Vec::new(), addresses: Vec::new(), is_ca, not_before, not_after }
}

/// The request that the arguments name, addresses, hosts and days make.
fn named_request<'a>(context: &Context, args: &'a Args) -> Result<Request<'a>, Message> {
    let mut request = request(context, args.str(0), args.int(3), false);
    for item in items(context, args.value(1))? {
        let text = text(context, item, "error parsing ip: ")?;
        let address: Option<IpAddr> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        request.addresses.push(address.ok_or_else(|| Message::plain("error parsing ip: ").data(text))?);
    }
    for item in items(context, args.value(2))? {
        request.hosts.push(text(context, item, "error processing alternate dns name: ")?);
    }
    Ok(request)
}

fn items<'a>(context: &Context, value: &'a Value) -> Result<&'a [Value], Message> {
    let items = match value {
        Value::List(list) => list.items(),
        _ => &[],
    };
    context.spend(items.len())?;
    Ok(items)
}

fn text<'a>(context: &Context, item: &'a Value, problem: &'static str) -> Result<&'a [u8], Message> {
    match item {
        Value::Str(text) => Ok(text),
        other => {
            let shown = print_verb(other, 'v', context.value_bytes())?;
            Err(Message::plain(problem).data(shown).text(" is not a string"))
        }
    }
}

fn issue(
    context: &Context,
    request: &Request,
    key: &Key,
    parent: Option<(&Certificate, &Key)>,
) -> Result<Value, Message> {
    // The list of hosts may name one long text many times; base 64 adds a third.
    context.check_bytes(request.bytes().saturating_mul(4) / 3)?;
    context.spend_on_bytes(request.bytes())?;
    context.spend(STEPS_PER_KEY)?;
    if parent.map_or(key, |(_, signer)| signer).signs_slowly() {
        context.spend_expensive(cost::LONG_SIGNATURE)?;
    }
    let der =
        request.issue(key, parent).map_err(|problem| Message::plain("error creating certificate: ").then(&problem))?;
    certificate(context, pem::encode("CERTIFICATE", &der), key.to_pem()?)
}

fn certificate(context: &Context, cert: Vec<u8>, key: Vec<u8>) -> Result<Value, Message> {
    let (cert, key): (Bytes, Bytes) = (cert.into(), key.into());
    context.account(&Value::Str(cert.clone()))?;
    context.account(&Value::Str(key.clone()))?;
    Ok(Value::Object(Rc::new(Object::Certificate { cert, key })))
}
