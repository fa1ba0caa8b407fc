//! Texts of every kind that functions expect, and near misses.

use crate::random::Random;

use encodings::{BASE32S, BASE64S, HEXES, PASSWORDS, SEALED};
use languages::{FORMATS, JSONS, REGEXES, REPLACEMENTS, YAMLS};
use quantities::{CONSTRAINTS, DATES, DURATIONS, LAYOUTS, NUMBERS, VERSIONS, ZONES};
use texts::{KEYS, PATHS, SEPARATORS, TYPE_NAMES, URLS, WORDS};

mod encodings;
mod languages;
mod quantities;
mod texts;

/// What a text is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    Words,
    Key,
    Regex,
    Replacement,
    Json,
    Yaml,
    Date,
    Layout,
    Zone,
    Version,
    Constraint,
    Url,
    Number,
    Path,
    Base64,
    Base32,
    Hex,
    Format,
    TypeName,
    Duration,
    Separator,
    Password,
    Sealed,
}

const ALL: &[Flavour] = &[
    Flavour::Words,
    Flavour::Key,
    Flavour::Regex,
    Flavour::Replacement,
    Flavour::Json,
    Flavour::Yaml,
    Flavour::Date,
    Flavour::Layout,
    Flavour::Zone,
    Flavour::Version,
    Flavour::Constraint,
    Flavour::Url,
    Flavour::Number,
    Flavour::Path,
    Flavour::Base64,
    Flavour::Base32,
    Flavour::Hex,
    Flavour::Format,
    Flavour::TypeName,
    Flavour::Duration,
    Flavour::Separator,
    Flavour::Password,
    Flavour::Sealed,
];

fn pool(flavour: Flavour) -> &'static [&'static [u8]] {
    match flavour {
        Flavour::Words => WORDS,
        Flavour::Key => KEYS,
        Flavour::Regex => REGEXES,
        Flavour::Replacement => REPLACEMENTS,
        Flavour::Json => JSONS,
        Flavour::Yaml => YAMLS,
        Flavour::Date => DATES,
        Flavour::Layout => LAYOUTS,
        Flavour::Zone => ZONES,
        Flavour::Version => VERSIONS,
        Flavour::Constraint => CONSTRAINTS,
        Flavour::Url => URLS,
        Flavour::Number => NUMBERS,
        Flavour::Path => PATHS,
        Flavour::Base64 => BASE64S,
        Flavour::Base32 => BASE32S,
        Flavour::Hex => HEXES,
        Flavour::Format => FORMATS,
        Flavour::TypeName => TYPE_NAMES,
        Flavour::Duration => DURATIONS,
        Flavour::Separator => SEPARATORS,
        Flavour::Password => PASSWORDS,
        Flavour::Sealed => SEALED,
    }
}

/// A text of the flavour: mostly from the pool, sometimes spoiled, seldom of another flavour.
pub fn text(random: &mut Random, flavour: Flavour) -> Vec<u8> {
    let flavour = if random.percent(5) { *random.pick(ALL) } else { flavour };
    let mut text = random.pick(pool(flavour)).to_vec();
    if random.percent(4) {
        text.extend_from_slice(random.pick::<&[u8]>(pool(flavour)));
    }
    // Zones are names of files to Go, which has several for one file.
    if flavour != Flavour::Zone && random.percent(12) {
        spoil(random, &mut text, pool(flavour));
    }
    text
}

/// Any flavour.
pub fn any_text(random: &mut Random) -> Vec<u8> {
    let flavour = if random.percent(50) { Flavour::Words } else { *random.pick(ALL) };
    text(random, flavour)
}

/// Removes, repeats, exchanges or inserts a few bytes.
pub fn spoil(random: &mut Random, text: &mut Vec<u8>, others: &[&[u8]]) {
    const BYTES: &[u8] = b"\x00\n\t \"'\\%$.,:;-+_0123456789eExXabAZ(){}[]|*?&!#~@<>=/^\x7f\x80\xc3\xff";
    for _ in 0..=random.below(2) {
        let from = random.below(text.len() + 1);
        let to = (from + random.below(4)).min(text.len());
        let piece = match random.below(5) {
            0 => Vec::new(),
            1 => text[from..to].repeat(2),
            2 => {
                let other = random.pick(others);
                let start = random.below(other.len() + 1);
                other[start..(start + random.below(8)).min(other.len())].to_vec()
            }
            _ => vec![*random.pick(BYTES)],
        };
        text.splice(from..to, piece);
    }
}
