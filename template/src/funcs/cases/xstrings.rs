//! Words within names, as the Go library xstrings finds them.

use super::{lower, upper};
use crate::category::{self, is_punctuation, is_upper};
use crate::text::{REPLACEMENT, push_char, runes};

/// `http_server` as `HttpServer`; connectors at both ends stay, of several in a row all but one.
pub(super) fn camel(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = runes(text).map(|(_, rune)| rune.char);
    let (mut first, mut last) = (None, None);
    for char in chars.by_ref() {
        if !is_connector(char) {
            first = Some(char);
            break;
        }
        push_char(&mut out, char);
        last = Some(char);
    }
    let Some(first) = first else {
        // Where there is nothing else, the last connector comes twice.
        if let Some(connector) = last {
            push_char(&mut out, connector);
        }
        return out;
    };
    let mut capitals = is_upper(first);
    let mut before = upper(first);
    for mut char in chars {
        match (is_connector(before), is_connector(char)) {
            (true, false) => {
                capitals = is_upper(char);
                before = upper(char);
                continue;
            }
            (false, _) if capitals && is_upper(char) => char = lower(char),
            (false, _) => capitals = false,
            (true, true) => {}
        }
        push_char(&mut out, before);
        before = char;
    }
    push_char(&mut out, before);
    out
}

/// `HttpServer` as `http_server`, with any connector.
pub(super) fn separated(text: &[u8], connector: char) -> Vec<u8> {
    let mut writer = Writer { words: words(text).into_iter(), out: Vec::new(), connector };
    writer.run();
    writer.out
}

/// What a word consists of, told by its first character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Capital,
    Letters,
    Number,
    Connector,
    Punctuation,
    Other,
}

impl Kind {
    fn of(char: char) -> Self {
        match char {
            char if is_connector(char) => Self::Connector,
            char if is_upper(char) => Self::Capital,
            char if is_letter(char) => Self::Letters,
            char if char.is_numeric() => Self::Number,
            char if is_punctuation(char) => Self::Punctuation,
            _ => Self::Other,
        }
    }

    /// Whether a separator is out of place beside such a word.
    fn separates(self) -> bool {
        matches!(self, Self::Connector | Self::Punctuation)
    }
}

/// A character that is valid, and the invalid ones before it, which go with it. At the end of a text they are alone.
#[derive(Clone)]
struct Letter<'t> {
    invalid: Vec<&'t [u8]>,
    char: Option<char>,
}

impl Letter<'_> {
    fn kind(&self) -> Kind {
        self.char.map_or(Kind::Other, Kind::of)
    }
}

struct Word<'t> {
    kind: Kind,
    letters: Vec<Letter<'t>>,
}

struct Writer<'t> {
    words: std::vec::IntoIter<Word<'t>>,
    out: Vec<u8>,
    connector: char,
}

impl<'t> Writer<'t> {
    fn run(&mut self) {
        let Some(mut word) = self.words.next() else { return };
        while let Some(next) = self.words.next() {
            self.lowered(&word);
            word = match word.kind {
                Kind::Number => match self.joined(next) {
                    Some(next) => next,
                    None => return,
                },
                Kind::Connector | Kind::Punctuation => next,
                _ if next.kind == Kind::Number => match self.after_number(next) {
                    Some(next) => next,
                    None => return,
                },
                _ => self.separated_from(next),
            };
        }
        self.lowered(&word);
    }

    /// A number behind letters belongs to them, unless small letters follow it.
    fn after_number(&mut self, number: Word<'t>) -> Option<Word<'t>> {
        let Some(next) = self.words.next() else { return Some(number) };
        if next.kind != Kind::Letters {
            self.lowered(&number);
            return Some(self.separated_from(next));
        }
        push_char(&mut self.out, self.connector);
        self.lowered(&number);
        self.joined(next)
    }

    /// Writes small letters and numbers without separators; answers the word behind them.
    fn joined(&mut self, mut next: Word<'t>) -> Option<Word<'t>> {
        while matches!(next.kind, Kind::Letters | Kind::Number) {
            self.lowered(&next);
            next = self.words.next()?;
        }
        Some(self.separated_from(next))
    }

    fn separated_from(&mut self, next: Word<'t>) -> Word<'t> {
        if !next.kind.separates() {
            push_char(&mut self.out, self.connector);
        }
        next
    }

    fn lowered(&mut self, word: &Word) {
        for letter in &word.letters {
            for bytes in &letter.invalid {
                match word.kind {
                    Kind::Capital | Kind::Connector => push_char(&mut self.out, REPLACEMENT),
                    _ => self.out.extend_from_slice(bytes),
                }
            }
            let char = match (letter.char, word.kind) {
                (Some(_), Kind::Connector) => Some(self.connector),
                (Some(char), Kind::Capital) if is_upper(char) => Some(lower(char)),
                (char, _) => char,
            };
            if let Some(char) = char {
                push_char(&mut self.out, char);
            }
        }
    }
}

fn words(text: &[u8]) -> Vec<Word<'_>> {
    let (letters, trailing) = letters(text);
    let mut words: Vec<Word> = Vec::new();
    let mut rest = letters.as_slice();
    while let Some(first) = rest.first() {
        let kind = first.kind();
        let length = match kind {
            Kind::Capital => capital_length(rest),
            // Among punctuation a connector is punctuation.
            Kind::Punctuation => rest.iter().take_while(|letter| letter.char.is_some_and(is_punctuation)).count(),
            _ => rest.iter().take_while(|letter| letter.kind() == kind).count(),
        };
        let (word, tail) = rest.split_at(length);
        words.push(Word { kind, letters: word.to_vec() });
        rest = tail;
    }
    if !trailing.is_empty() {
        let alone = Letter { invalid: trailing, char: None };
        match words.last_mut() {
            Some(last) => last.letters.push(alone),
            None => words.push(Word { kind: Kind::Other, letters: vec![alone] }),
        }
    }
    words
}

/// The characters, each with the invalid ones before it, and the invalid ones at the end.
fn letters(text: &[u8]) -> (Vec<Letter<'_>>, Vec<&[u8]>) {
    let mut letters = Vec::new();
    let mut invalid = Vec::new();
    for (at, rune) in runes(text) {
        if rune.char == REPLACEMENT {
            invalid.push(&text[at..at + rune.width]);
        } else {
            letters.push(Letter { invalid: std::mem::take(&mut invalid), char: Some(rune.char) });
        }
    }
    (letters, invalid)
}

/// `Status` is one word, and `HTTP` of `HTTPStatus` another.
fn capital_length(letters: &[Letter]) -> usize {
    let is = |letter: &Letter, of: fn(char) -> bool| letter.char.is_some_and(of);
    let capitals = letters.iter().take_while(|letter| is(letter, is_upper)).count();
    let followed = letters.get(capitals).is_some_and(|letter| is(letter, is_letter));
    match (capitals, followed) {
        (1, _) => {
            let is_small = |letter: &&Letter| is(letter, is_letter) && !is(letter, is_upper);
            1 + letters[1..].iter().take_while(is_small).count()
        }
        (_, true) => capitals - 1,
        (_, false) => capitals,
    }
}

fn is_connector(char: char) -> bool {
    char == '-' || char == '_' || char.is_whitespace()
}

fn is_letter(char: char) -> bool {
    // Most characters of the CJK blocks are no letters of a word here.
    let is_cjk = matches!(char, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    category::is_letter(char) && !is_cjk
}
