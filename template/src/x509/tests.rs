use super::{AlternativeNames, Certificate, ordered};
use crate::der::cursor::Cursor;
use crate::der::write;
use crate::error::Message;

/// What is wrong, in Go's words.
fn problem<T>(result: Result<T, Message>) -> String {
    result.err().map(|message| message.exact().to_owned()).unwrap_or_default()
}

/// A certificate with nothing but identifiers of keys.
fn linked(authority: Option<&str>, subject: &str) -> Certificate {
    Certificate {
        raw: Vec::new(),
        raw_subject: Vec::new(),
        public_key: Vec::new(),
        subject: super::Name::default(),
        authority_key_id: authority.map(|id| id.as_bytes().to_vec()),
        subject_key_id: subject.as_bytes().to_vec(),
        names: AlternativeNames::default(),
    }
}

fn order(certificates: &[Certificate]) -> Result<Vec<&str>, String> {
    match ordered(certificates) {
        Ok(chain) => Ok(chain.iter().map(|one| std::str::from_utf8(&one.subject_key_id).unwrap()).collect()),
        Err(message) => Err(message.exact().to_owned()),
    }
}

/// A name of pairs of identifier, kind of text, and text.
fn name(pairs: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let sets = pairs
        .iter()
        .map(|(oid, kind, text)| write::set(vec![write::sequence(&[&write::oid(oid), &write::element(*kind, text)])]));
    write::element(0x30, &sets.collect::<Vec<_>>().concat())
}

fn subject(pairs: &[(&[u8], u8, &[u8])]) -> Result<String, Message> {
    super::Name::read(&mut Cursor(&name(pairs))).map(|name| name.to_string())
}

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const COUNTRY: &[u8] = &[0x55, 4, 6];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const TITLE: &[u8] = &[0x55, 4, 12];
const UTF8: u8 = 12;

#[test]
fn a_chain_goes_from_the_leaf_to_the_root() {
    let (leaf, middle, root) = (linked(Some("m"), "l"), linked(Some("r"), "m"), linked(Some("r"), "r"));
    assert_eq!(order(&[root, leaf, middle]).unwrap(), ["l", "m", "r"]);
}

#[test]
fn what_is_no_chain_is_refused() {
    let leaf = linked(Some("r"), "a");
    assert_eq!(order(&[]).unwrap_err(), "no leaf certificate found");
    let two = [leaf.clone(), linked(Some("r"), "b"), linked(Some("r"), "r")];
    assert_eq!(order(&two).unwrap_err(), "found multiple leaf or disjunct certificates");
    assert_eq!(order(&[linked(Some("b"), "a"), linked(Some("a"), "b")]).unwrap_err(), "no leaf certificate found");
    let circle = [linked(Some("a"), "l"), linked(Some("b"), "a"), linked(Some("a"), "b")];
    assert_eq!(order(&circle).unwrap_err(), "constructing chain resulted in cycle");
    let root = linked(None, "r");
    assert!(root.is_root() && !leaf.is_root());
}

#[test]
fn a_subject_reads_as_go_prints_it() {
    let pairs: [(&[u8], u8, &[u8]); 6] = [
        (TITLE, UTF8, b"Dr"),
        (COUNTRY, 19, b"DE"),
        (ORGANIZATION, UTF8, b"a+b"),
        (COMMON_NAME, UTF8, b"first"),
        (ORGANIZATION, UTF8, b" c"),
        (COMMON_NAME, UTF8, b"#last, "),
    ];
    assert_eq!(subject(&pairs).ok().unwrap(), "CN=\\#last\\,\\ ,O=a\\+b+O=\\ c,C=DE,2.5.4.12=#13024472");
}

#[test]
fn texts_of_names_must_be_of_their_kind() {
    for (kind, text, wanted) in [
        (19, &b"a_b"[..], "invalid PrintableString"),
        (UTF8, b"\xff", "invalid UTF-8 string"),
        (30, b"abc", "invalid BMPString"),
        (22, b"\xe9", "invalid IA5String"),
        (18, b"a", "invalid NumericString"),
        (4, b"a", "unsupported string type: 4"),
    ] {
        let found = problem(subject(&[(COMMON_NAME, kind, text)]));
        assert_eq!(found, format!("x509: invalid RDNSequence: invalid attribute value: {wanted}"));
    }
    assert_eq!(subject(&[(COMMON_NAME, 30, b"\0a\0\0")]).ok().unwrap(), "CN=a");
    assert_eq!(subject(&[(COMMON_NAME, 20, b"\xe9")]).ok().unwrap(), "CN=é");
}

#[test]
fn what_is_no_certificate_is_refused() {
    assert_eq!(problem(Certificate::parse(b"junk")), "x509: malformed certificate");
    assert_eq!(problem(Certificate::parse(&[0x30, 0])), "x509: malformed tbs certificate");
    assert_eq!(problem(Certificate::parse(&[0x30, 2, 0x30, 0])), "x509: malformed serial number");
}

#[test]
fn alternative_names_are_read_as_go_writes_them() {
    let names = [
        write::element(0x82, b"a.example"),
        write::element(0x87, &[10, 0, 0, 1]),
        write::element(0x81, b"a@b.example"),
        write::element(0x86, b"HTTPS://b.example/a%20{?q#f"),
        write::element(0x86, b"urn:uuid:1"),
    ];
    let found = super::names::read(Cursor(&write::element(0x30, &names.concat()))).ok().unwrap();
    assert_eq!(found.dns, [b"a.example"]);
    assert_eq!(found.ips, [std::net::IpAddr::from([10, 0, 0, 1])]);
    assert_eq!(found.emails, [b"a@b.example"]);
    assert_eq!(found.uris, [b"https://b.example/a%20%7B?q#f".to_vec(), b"urn:uuid:1".to_vec()]);
}

#[test]
fn malformed_alternative_names_are_refused() {
    let read = |tag, name: &[u8]| {
        problem(super::names::read(Cursor(&write::element(0x30, &write::element(tag, name)))).map(|_| ()))
    };
    assert_eq!(read(0x82, b"\xff"), "x509: SAN dNSName is malformed");
    assert_eq!(read(0x87, b"abc"), "x509: cannot parse IP address of length 3");
    assert_eq!(
        read(0x86, b"http://a/%z"),
        "x509: cannot parse URI \"http://a/%z\": parse \"http://a/%z\": invalid URL escape \"%z\""
    );
    assert!(read(0x86, b"http://[x]").ends_with("invalid host: ParseAddr(\"x\"): unable to parse IP"));
    assert_eq!(read(0x86, b"http://a..b"), "x509: cannot parse URI \"http://a..b\": invalid domain");
}

#[test]
fn impossible_times_are_refused() {
    let check = |first: &[u8]| {
        let valid = write::element(0x17, b"300101000000Z");
        problem(super::time::check_validity(Cursor(&[first, &valid].concat())))
    };
    assert_eq!(check(&write::element(0x17, b"280229235959Z")), "");
    assert_eq!(check(&write::element(0x18, b"20500101000000Z")), "");
    assert_eq!(check(&write::element(0x17, b"270229235959Z")), "x509: malformed UTCTime");
    assert_eq!(check(&write::element(0x18, b"20501301000000Z")), "x509: malformed GeneralizedTime");
    assert_eq!(check(&write::element(0x16, b"x")), "x509: unsupported time format");
}
