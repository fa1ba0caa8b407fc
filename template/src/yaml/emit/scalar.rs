//! Strings: which style they need, and how each style is written.

use super::{Emitter, INDENT, Place};
use crate::yaml::resolve::is_plain_string;

/// Columns after which a space becomes a line end.
const WIDTH: usize = 80;

/// What the characters of a string allow.
#[expect(clippy::struct_excessive_bools, reason = "one question each")]
struct Analysis {
    plain: bool,
    single_quoted: bool,
    literal: bool,
    has_breaks: bool,
}

impl Emitter<'_, '_> {
    pub(super) fn string(&mut self, text: &str, place: Place, is_key: bool) {
        let allows = analyze(text);
        // What folded lines and literals are indented to.
        let indent = place.indent.map_or(INDENT, |indent| indent + INDENT);
        self.space();
        if text.contains('\n') {
            if allows.literal && !is_key {
                self.literal(text, indent);
            } else {
                self.double_quoted(text, indent, is_key);
            }
        } else if !is_plain_string(text) || (is_key && allows.has_breaks) {
            self.double_quoted(text, indent, is_key);
        } else if allows.plain && !(is_key && text.is_empty()) {
            self.plain(text, indent, is_key);
        } else if allows.single_quoted {
            self.single_quoted(text, indent, is_key);
        } else {
            self.double_quoted(text, indent, is_key);
        }
        if !self.blank_line || self.column > 0 {
            self.blank_line = false;
        }
    }

    fn plain(&mut self, text: &str, indent: usize, is_key: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (at, &char) in chars.iter().enumerate() {
            let folds = char == ' ' && !is_key && !after_space && self.column > WIDTH;
            after_space = char == ' ';
            if folds && chars.get(at + 1) != Some(&' ') {
                self.fold(indent);
            } else {
                self.char(char);
            }
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        let chars: Vec<char> = text.chars().collect();
        self.push("'");
        let (mut after_space, mut after_break) = (false, false);
        for (at, &char) in chars.iter().enumerate() {
            if after_break && !is_break(char) {
                self.sink.fill(b' ', indent);
                self.column = indent;
            }
            after_break = is_break(char);
            let inner = at > 0 && at + 1 < chars.len();
            let folds = char == ' ' && !is_key && !after_space && self.column > WIDTH && inner;
            after_space = char == ' ';
            if folds && chars.get(at + 1) != Some(&' ') {
                self.fold(indent);
            } else {
                if char == '\'' {
                    self.push("'");
                }
                self.char(char);
            }
        }
        self.push("'");
    }

    fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        let chars: Vec<char> = text.chars().collect();
        // Behind a byte order mark Go escapes everything.
        let escapes_all = chars.first() == Some(&'\u{feff}');
        self.push("\"");
        let mut after_space = false;
        for (at, &char) in chars.iter().enumerate() {
            if escapes_all {
                self.push(&escaped(char));
                continue;
            }
            let inner = at > 0 && at + 1 < chars.len();
            if char == ' ' && !is_key && !after_space && self.column > WIDTH && inner {
                self.fold(indent);
                if chars.get(at + 1) == Some(&' ') {
                    self.push("\\");
                }
                after_space = true;
                continue;
            }
            after_space = char == ' ';
            if !is_printable(char) || is_break(char) || matches!(char, '"' | '\\') {
                self.push(&escaped(char));
            } else {
                self.char(char);
            }
        }
        self.push("\"");
    }

    /// `|` with the hints that the first and last characters need.
    fn literal(&mut self, text: &str, indent: usize) {
        self.push("|");
        if text.starts_with([' ', '\n', '\u{85}', '\u{2028}', '\u{2029}']) {
            self.push(&INDENT.to_string());
        }
        let mut from_end = text.chars().rev().map(is_break);
        match (from_end.next(), from_end.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.push("+"),
            _ => self.push("-"),
        }
        self.line_end();
        for line in text.strip_suffix('\n').unwrap_or(text).split_inclusive(is_break) {
            let content = line.trim_end_matches(is_break);
            if !content.is_empty() {
                self.sink.fill(b' ', indent);
                self.push(content);
            }
            let line_end = &line[content.len()..];
            self.push(line_end);
            if !line_end.is_empty() {
                self.column = 0;
            }
        }
        if text.ends_with('\n') {
            // The line end belongs to the text; what comes next finds itself on a new line.
            self.blank_line = false;
        }
    }

    fn fold(&mut self, indent: usize) {
        self.line_end();
        self.sink.fill(b' ', indent);
        self.column = indent;
        self.blank_line = false;
    }

    fn char(&mut self, char: char) {
        self.push(char.encode_utf8(&mut [0; 4]));
        if is_break(char) {
            self.column = 0;
        }
    }
}

fn analyze(text: &str) -> Analysis {
    if text.is_empty() {
        return Analysis { plain: true, single_quoted: true, literal: false, has_breaks: false };
    }
    let chars: Vec<char> = text.chars().collect();
    let (mut indicators, mut special) = (text.starts_with("---") || text.starts_with("..."), false);
    let (mut breaks, mut space_break, mut break_space) = (false, false, false);
    let mut before = None;
    for (at, &char) in chars.iter().enumerate() {
        let next = chars.get(at + 1);
        let before_blank = before.is_none_or(|before| matches!(before, ' ' | '\t') || is_break(before));
        let after_blank = next.is_none_or(|&next| matches!(next, ' ' | '\t'));
        indicators |= match char {
            '#' => before_blank,
            ':' => after_blank,
            '?' | '-' => at == 0 && after_blank,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => at == 0,
            _ => false,
        };
        special |= !is_printable(char);
        breaks |= is_break(char);
        break_space |= char == ' ' && before.is_some_and(is_break);
        space_break |= is_break(char) && before == Some(' ');
        before = Some(char);
    }
    let blank = |char: Option<&char>| char.is_some_and(|&char| char == ' ' || is_break(char));
    let edges = blank(chars.first()) || blank(chars.last());
    let awkward = space_break || special;
    Analysis {
        plain: !edges && !break_space && !awkward && !breaks && !indicators,
        single_quoted: !break_space && !awkward,
        literal: chars.last() != Some(&' ') && !awkward,
        has_breaks: breaks,
    }
}

/// What the Go library writes as it is: the first plane without controls, tabs, surrogates and the byte order mark.
fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && char != '\u{feff}'
}

fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn escaped(char: char) -> String {
    let simple = match char {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(char) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{simple}")
}
