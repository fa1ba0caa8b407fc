//! Go's `Sprintf`.

use super::verbs::{Flags, Printer};
use crate::error::Message;
use crate::text::first_rune;
use crate::value::Value;

/// Widths and precisions above this are refused in the output, as Go does.
const MAX_NUMBER: i64 = 1_000_000;

/// Formats `args`; what does not fit is said in the output (`%!d(string=x)`), as in Go.
pub(crate) fn sprintf(format: &[u8], args: &[Value], limit: usize) -> Result<Vec<u8>, Message> {
    let mut state =
        Formatter { format, args, at: 0, arg: 0, reordered: false, good_index: true, printer: Printer::new(limit) };
    state.run();
    state.printer.sink.finish()
}

struct Formatter<'f> {
    format: &'f [u8],
    args: &'f [Value],
    at: usize,
    arg: usize,
    reordered: bool,
    good_index: bool,
    printer: Printer,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while let Some(rest) = self.format.get(self.at..).filter(|rest| !rest.is_empty()) {
            if self.printer.sink.is_full() {
                return;
            }
            let plain = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
            self.printer.sink.push(&rest[..plain]);
            self.at += plain;
            if self.peek() == Some(b'%') {
                self.at += 1;
                self.verb();
            }
        }
        if !self.reordered && self.arg < self.args.len() {
            self.extra();
        }
    }

    fn verb(&mut self) {
        self.printer.flags = Flags::default();
        self.good_index = true;
        self.flags();
        let mut after_index = self.index();
        after_index = self.width(after_index);
        // A dot at the very end is a verb.
        if self.peek() == Some(b'.') && self.at + 1 < self.format.len() {
            after_index = self.precision(after_index);
        }
        if !after_index {
            self.index();
        }
        let Some(rune) = first_rune(self.format.get(self.at..).unwrap_or_default()) else {
            return self.printer.sink.push(b"%!(NOVERB)");
        };
        self.at += rune.width;
        match rune.char {
            '%' => self.printer.sink.push(b"%"),
            verb if !self.good_index => self.complain(verb, "BADINDEX"),
            verb => match self.args.get(self.arg) {
                None => self.complain(verb, "MISSING"),
                Some(value) => {
                    if matches!(verb, 'v' | 'w') {
                        self.printer.flags.source = std::mem::take(&mut self.printer.flags.sharp);
                        self.printer.flags.named = std::mem::take(&mut self.printer.flags.plus);
                    }
                    self.printer.print(value, verb);
                    self.arg += 1;
                }
            },
        }
    }

    fn flags(&mut self) {
        while let Some(byte) = self.peek() {
            let flags = &mut self.printer.flags;
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn width(&mut self, after_index: bool) -> bool {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.int_arg() {
                None => self.printer.sink.push(b"%!(BADWIDTH)"),
                Some(width) => {
                    if width < 0 {
                        self.printer.flags.minus = true;
                        self.printer.flags.zero = false;
                    }
                    self.printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
            }
            return false;
        }
        self.printer.flags.width = self.number();
        if after_index && self.printer.flags.width.is_some() {
            self.good_index = false;
        }
        after_index
    }

    fn precision(&mut self, after_index: bool) -> bool {
        self.at += 1;
        if after_index {
            self.good_index = false;
        }
        let after_index = self.index();
        if self.peek() != Some(b'*') {
            self.printer.flags.precision = Some(self.number().unwrap_or(0));
            return after_index;
        }
        self.at += 1;
        match self.int_arg().and_then(|precision| usize::try_from(precision).ok()) {
            None => self.printer.sink.push(b"%!(BADPREC)"),
            precision => self.printer.flags.precision = precision,
        }
        false
    }

    /// `[n]`: which argument is next. Answers whether one was found.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let close = rest.iter().position(|&byte| byte == b']').filter(|_| rest.len() >= 3);
        let Some(close) = close else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let end = self.at + close;
        self.at += 1;
        let number = self.number_before(end);
        let whole = self.at == end;
        self.at = end + 1;
        let Some(number) = number.filter(|_| whole) else {
            self.good_index = false;
            return false;
        };
        match number.checked_sub(1).filter(|&index| index < self.args.len()) {
            Some(index) => self.arg = index,
            None => self.good_index = false,
        }
        true
    }

    fn number(&mut self) -> Option<usize> {
        self.number_before(self.format.len())
    }

    /// Decimal digits; a number that is too large swallows the rest of the format, as in Go.
    fn number_before(&mut self, end: usize) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(|byte| byte.is_ascii_digit() && self.at < end) {
            let so_far = number.unwrap_or(0i64);
            if so_far > MAX_NUMBER {
                self.at = end;
                return None;
            }
            number = Some(so_far * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// The next argument as a width or precision.
    fn int_arg(&mut self) -> Option<i64> {
        let number = match self.args.get(self.arg)? {
            Value::Int(_, number) => Some(*number),
            Value::Uint(_, number) => i64::try_from(*number).ok(),
            Value::Object(object) => object.number(),
            _ => None,
        };
        self.arg += 1;
        number.filter(|number| (-MAX_NUMBER..=MAX_NUMBER).contains(number))
    }

    fn complain(&mut self, verb: char, what: &str) {
        self.printer.sink.push(format!("%!{verb}({what})").as_bytes());
    }

    fn extra(&mut self) {
        self.printer.flags = Flags::default();
        self.printer.sink.push(b"%!(EXTRA ");
        for (index, arg) in self.args[self.arg..].iter().enumerate() {
            if index > 0 {
                self.printer.sink.push(b", ");
            }
            if matches!(arg, Value::Nil) {
                self.printer.sink.push(b"<nil>");
            } else {
                self.printer.sink.push(format!("{}=", arg.type_name()).as_bytes());
                self.printer.print(arg, 'v');
            }
        }
        self.printer.sink.push(b")");
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }
}
