use super::{MAX_ITERATIONS, Password, iterations, read, trust_store};
use crate::context::Context;
use crate::der::write;
use crate::error::Message;
use crate::limits::{Limits, Options};

/// What is wrong, in Go's words.
fn problem<T>(result: Result<T, Message>) -> String {
    result.err().map(|message| message.exact().to_owned()).unwrap_or_default()
}

/// A file around these parts, without a MAC.
fn unprotected(parts: &[&[u8]]) -> Vec<u8> {
    let data = |content: &[u8]| {
        write::sequence(&[&write::oid(super::algorithms::DATA), &write::explicit(0, &write::octets(content))])
    };
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| data(part)).collect();
    let safe: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    write::sequence(&[&write::int(3), &data(&write::sequence(&safe))])
}

#[test]
fn a_file_without_a_key_or_a_certificate_is_refused() {
    let options = Options::default();
    let context = Context::new(&options);
    let empty = write::sequence(&[]);
    assert_eq!(problem(read(&context, &unprotected(&[&empty]), b"")), "pkcs12: certificate missing");
    assert_eq!(problem(read(&context, &unprotected(&[&empty]), b"pw")), "pkcs12: no MAC in data");
    assert_eq!(
        problem(read(&context, &unprotected(&[empty.as_slice(); 3]), b"")),
        "pkcs12: expected between 1 and 2 items in the authenticated safe, but this file has 3"
    );
}

#[test]
fn a_store_of_no_certificates_is_whole() {
    let options = Options::default();
    let context = Context::new(&options);
    let file = trust_store(&context, &[], b"pw").ok().unwrap();
    assert_eq!(problem(read(&context, &file, b"pw")), "pkcs12: certificate missing");
    assert_eq!(problem(read(&context, &file, b"other")), "pkcs12: decryption password incorrect");
}

#[test]
fn passwords_have_two_bytes_for_each_character() {
    assert_eq!(Password::new("ä".as_bytes()).ok().unwrap().wide, [0, 0xe4, 0, 0]);
    assert_eq!(Password::new(b"\xff").ok().unwrap().wide, [0xff, 0xfd, 0, 0]);
    let emoji = problem(Password::new("😀".as_bytes()));
    assert_eq!(emoji, "pkcs12: string contains characters that cannot be encoded in UCS-2");
}

#[test]
fn iterations_are_charged_before_they_are_done() {
    let options = Options { limits: Limits { steps: 1_000, ..Limits::default() }, ..Options::default() };
    let context = Context::new(&options);
    assert_eq!(iterations(&context, 0).ok(), Some(1));
    assert_eq!(iterations(&context, -5).ok(), Some(1));
    assert_eq!(iterations(&context, 900).ok(), Some(900));
    assert!(problem(iterations(&context, 900)).contains("more than 1000 steps"));
    assert!(problem(iterations(&context, MAX_ITERATIONS + 1)).contains("iterations"));
}
