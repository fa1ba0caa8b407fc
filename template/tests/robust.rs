//! Templates and data that nobody would write: whatever comes in, a text or an error comes out, in time.
#![expect(clippy::expect_used, reason = "a broken cases file must fail the test loudly")]

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use template::{Data, Limits, MissingKey, Options, Template};

/// Marks that change what a template means more often than random bytes do.
const TOKENS: &[&[u8]] = &[
    b"{{",
    b"}}",
    b"(",
    b")",
    b"|",
    b".",
    b"$x",
    b"$",
    b"\"",
    b"`",
    b"'",
    b"nil",
    b"-1",
    b"9223372036854775807",
    b" ",
    b"{{end}}",
    b"{{else}}",
    b"{{if .}}",
    b"{{range .}}",
    b"{{break}}",
    b":=",
    b"=",
    b",",
    b"\xff",
    b"\xc3",
    b"1e99",
    b"(list 1 nil \"x\")",
    b"(dict \"a\" .)",
    b"(fromJson \"[{}]\")",
    b"now",
    b"\\",
    b"%",
    b"0x",
    b"-}}",
    b"{{- ",
];

/// A small generator, so that a failure repeats itself.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % end.max(1)
    }

    /// The text with a few pieces removed, repeated, exchanged for a mark, or taken from another text.
    fn mangled(&mut self, text: &[u8], other: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        for _ in 0..=self.below(3) {
            let from = self.below(out.len() + 1);
            let to = (from + self.below(8)).min(out.len());
            let piece = match self.below(5) {
                0 => Vec::new(),
                1 => out[from..to].repeat(3),
                2 => {
                    let start = self.below(other.len() + 1);
                    other[start..(start + self.below(30)).min(other.len())].to_vec()
                }
                _ => TOKENS[self.below(TOKENS.len())].to_vec(),
            };
            out.splice(from..to, piece);
        }
        out
    }
}

fn templates() -> Vec<Vec<u8>> {
    let folder = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
    let text = std::fs::read(folder.join("templates.json")).expect("the conformance cases, here or in CONFORMANCE_DIR");
    let file: serde_json::Value = serde_json::from_slice(&text).expect("the cases file is JSON");
    let cases = file["cases"].as_array().expect("the file has cases");
    cases.iter().filter_map(|case| case["template"].as_str()).map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn mangled_templates_give_a_text_or_an_error() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x2545_f491_4f6c_dd1d);
    let limits = Limits { steps: 20_000, deadline: Duration::from_secs(2), ..Limits::default() };
    let mut random = Random(seed);
    let templates = templates();
    for _ in 0..rounds {
        for text in &templates {
            let other = &templates[random.below(templates.len())];
            let text = random.mangled(text, other);
            let value = random.mangled(b"{\"user\": [1, 2.5, null], \"a\": \"h\xc3\xa9llo\"}", other);
            let data = Data::from_iter([
                ("str", value.clone()),
                ("json", value.clone()),
                ("yaml", value),
                ("x", text.clone()),
            ]);
            let missing_key = if random.below(2) == 0 { MissingKey::Default } else { MissingKey::Error };
            let options = Options { missing_key, limits: limits.clone(), ..Options::default() };
            if let Ok(template) = Template::parse("k", &text, &limits) {
                let _ = template.render(&data, &options);
            }
        }
    }
}

#[test]
fn functions_take_any_value_in_any_place() {
    let values = [
        "nil",
        ".",
        ".x",
        "\"\"",
        "0",
        "-1",
        "9223372036854775807",
        "1.5",
        "true",
        "(list)",
        "(list nil 1)",
        "(dict)",
        "(dict \"a\" (list))",
        "now",
        "(semver \"1.2.3\")",
        "\"\\xff\"",
        "(until 3)",
        "(genCAWithKey \"a\" 1 (genPrivateKey \"ed25519\"))",
        "(splitList \",\" \"a,b\")",
    ];
    let limits = Limits { steps: 20_000, ..Limits::default() };
    let data = Data::from_iter([("x", b"\xff\x00{[(*".to_vec())]);
    let options = Options { limits: limits.clone(), ..Options::default() };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for function in template::functions() {
        for count in 0..5 {
            for _ in 0..12 {
                let args: Vec<&str> = (0..count).map(|_| values[random.below(values.len())]).collect();
                let text = format!("{{{{ {} {} }}}}", function.name, args.join(" "));
                let template = Template::parse("k", text.as_bytes(), &limits).expect("a call of a known function");
                let _ = template.render(&data, &options);
            }
        }
    }
}

#[test]
fn little_languages_within_texts_are_read_without_panic() {
    // Functions whose argument is a language of its own, with something to mangle.
    let seeds: [(&str, &[u8]); 16] = [
        ("regexMatch .x .y", b"^(?P<n>[a-z\\d&&[:alpha:]]+)\\Q.\\E(\\x{41}|\\pL{2,3}?)*$"),
        ("regexReplaceAll .x .y .y", b"(a)(?i:b|$)[^]\\w-]"),
        ("regexSplit .x .y -1", b"z+|\\bq\\B"),
        ("fromYaml .x | toYaml", b"a: &x [1, 'b', \"\\u00e9\"]\nb:\n  <<: *x\n  - |2-\n   t\n? k\n: !!binary YQ==\n"),
        ("fromJson .x | toPrettyJson", b"{\"a\": [1e5, -0.5, null, \"\\ud83d\\ude00\"], \"b\": {}}"),
        (
            "toYaml .x",
            b"- a: 'b'\n  \xe2\x80\xa8 0x1f 12:30 ~ word word word word word word word word word word word word",
        ),
        ("toYaml (dict .x .y)", b"key with \"quotes\" and: colon #hash"),
        ("toDate .x .y", b"Monday Jan _2 15:04:05.000 -07:00 2006 MST Z0700 002 pm"),
        ("toDate .y .x", b"2024-02-30T25:61:61.123456789+14:00"),
        ("date .x 1700000000", b"__2 02 .999 ,000 Z07:00:00 January"),
        ("durationRound .x", b"-1.5h3m9223372036854775807ns"),
        ("semver .x", b"v1.2.3-beta.1+build.5"),
        ("semverCompare .x \"1.2.3\"", b">=1.2 <2.x || ~3.1.0-0, ^0 - 1.4"),
        ("urlParse .x | urlJoin", b"https://u:p%20w@[::1]:80/a%2fb?q=1#frag"),
        ("printf (print .x) .y 1 2.5", b"%-+#0 10.3[2]*v%[3]q%x%!%U%e%c%"),
        ("int .x | add (float64 .x) (toDecimal .x) (atoi .x)", b"-0x1f_00.5e3"),
    ];
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    let limits = Limits { steps: 50_000, ..Limits::default() };
    let options = Options { limits: limits.clone(), ..Options::default() };
    let mut random = Random(0xdead_beef_cafe_f00d);
    for (call, seed) in seeds {
        let template = Template::parse("k", format!("{{{{ {call} }}}}").as_bytes(), &limits).expect("a known function");
        for _ in 0..rounds * 100 {
            let data =
                Data::from_iter([("x", random.mangled(seed, seed)), ("y", random.mangled(b"2024 text a.b", seed))]);
            let _ = template.render(&data, &options);
        }
    }
}

/// The items of the conformance cases that functions of keys and certificates read.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
    let text = std::fs::read(folder.join("templates.json")).expect("the conformance cases, here or in CONFORMANCE_DIR");
    let file: serde_json::Value = serde_json::from_slice(&text).expect("the cases file is JSON");
    let fixtures = file["fixtures"].as_object().expect("the file has fixtures");
    let bytes = |item: &serde_json::Value| match item["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(item["b64"].as_str().unwrap_or_default()).expect("base 64"),
    };
    fixtures.iter().map(|(name, item)| (name.clone(), bytes(item))).collect()
}

/// The text with one byte of its base 64 exchanged, so that what it stands for is damaged, not the text.
fn damaged(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=random.below(2) {
        let at = random.below(out.len());
        let is_text = bytes.starts_with(b"-----") || bytes.starts_with(b"{");
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let byte = if is_text { letters[random.below(letters.len())] } else { random.below(256).to_le_bytes()[0] };
        if let Some(old) = out.get_mut(at).filter(|old| !is_text || old.is_ascii_alphanumeric()) {
            *old = byte;
        }
    }
    out
}

#[test]
fn damaged_keys_and_certificates_give_a_text_or_an_error() {
    let calls = [
        "filterCertChain \"root\" .x",
        "filterPEM \"CERTIFICATE\" .x",
        "certSANs .x",
        "jwkPublicKeyPem .x",
        "jwkPrivateKeyPem .x",
        "pkcs12key .x",
        "pkcs12certPass \"s3cret\" .x",
        "fullPemToPkcs12 .cert .x",
        "fullPemToPkcs12 .x .key",
        "pemTruststoreToPKCS12 .x",
        "rsaDecrypt \"RSA-OAEP\" \"SHA1\" .key .x",
    ];
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    let limits = Limits { steps: 200_000, ..Limits::default() };
    let options = Options { limits: limits.clone(), ..Options::default() };
    let fixtures = fixtures();
    let whole = |name: &str| fixtures.iter().find(|(found, _)| found == name).expect("a fixture").1.clone();
    let (cert, key) = (whole("leaf_ec.crt"), whole("leaf_ec.key"));
    let mut random = Random(0x0123_4567_89ab_cdef);
    for call in calls {
        let template = Template::parse("k", format!("{{{{ {call} }}}}").as_bytes(), &limits).expect("a known function");
        for (_, item) in &fixtures {
            for _ in 0..rounds {
                let x = damaged(&mut random, item);
                let data = Data::from_iter([("x", x), ("cert", cert.clone()), ("key", key.clone())]);
                let _ = template.render(&data, &options);
            }
        }
    }
}
