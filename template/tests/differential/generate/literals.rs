//! Numbers, and texts of a kind: literals, or entries of the data that hold such a text.

use super::{FIELDS, Generator};
use crate::pools::{Flavour, text};

impl Generator<'_> {
    pub(super) fn text_operand(&mut self, flavour: Flavour) {
        if self.random.percent(35) {
            let fields: Vec<&str> =
                FIELDS.iter().filter(|(_, holds)| *holds == flavour).map(|(name, _)| *name).collect();
            if !fields.is_empty() {
                let name = *self.random.pick(&fields);
                // Inside `with` and `range` the dot is another; `$` still works, and the error is worth comparing too.
                let mark = if self.blocks > 0 && self.random.percent(80) { "$." } else { "." };
                self.push(mark);
                return self.push(name);
            }
        }
        let text = text(self.random, flavour);
        self.literal(&text);
    }

    /// A literal of the text: quoted with escapes or raw.
    pub(super) fn literal(&mut self, text: &[u8]) {
        if self.random.percent(12) && !text.contains(&b'`') && !text.contains(&b'\r') {
            self.out.push(b'`');
            self.out.extend_from_slice(text);
            self.out.push(b'`');
            return;
        }
        self.out.push(b'"');
        let octal = self.random.percent(5);
        for &byte in text {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.push("\\n"),
                0..0x20 | 0x7f if octal => {
                    let text = format!("\\{byte:03o}");
                    self.push(&text);
                }
                0..0x20 | 0x7f => {
                    let text = format!("\\x{byte:02x}");
                    self.push(&text);
                }
                byte => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    pub(super) fn small(&mut self) {
        self.one_of(&[
            "0", "1", "2", "3", "4", "5", "7", "10", "12", "20", "-1", "-2", "40", "1", "2", "3", "'\\x03'", "0x4",
            "2.0", "1e1",
        ]);
    }

    pub(super) fn int(&mut self) {
        if self.random.percent(60) {
            return self.small();
        }
        self.one_of(&[
            "42",
            "-42",
            "017",
            "0x1F",
            "0b101",
            "0o17",
            "1_000",
            "'a'",
            "'\\n'",
            "'\\u00e9'",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "1000000",
            "123456789",
            "+5",
            "1700000000",
            "-1700000000",
            "65536",
            "0755",
            "1e3",
            "1_0",
            "08",
            "4294967296",
            "'\\''",
            "0x8000000000000000",
            "18446744073709551615",
        ]);
    }

    pub(super) fn float(&mut self) {
        self.one_of(&[
            "1.5",
            "-1.5",
            "0.0",
            "-0.0",
            "3.14159",
            "1e6",
            "1e20",
            "1e21",
            "1e-7",
            "0.1",
            "2.5",
            "0.30000000000000004",
            "123456789.125",
            "1e100",
            "1.0",
            "100.0",
            "1e308",
            "5e-324",
            "0x1p4",
            "999999.0",
            "1234567.5",
            ".5",
            "-.5",
            "1e400",
            "0.000001",
            "99.995",
            "1e5",
            "3.0e0",
        ]);
    }

    pub(super) fn numeric(&mut self) {
        match self.random.below(10) {
            0..4 => self.int(),
            4 | 5 => self.float(),
            6 | 7 => self.text_operand(Flavour::Number),
            8 => self.one_of(&[
                "true",
                "nil",
                "(int64 5)",
                "(list)",
                "(add 1 2)",
                "(float64 \"2.5\")",
                "(len \"abc\")",
                "(index \"a\" 0)",
                "(toDecimal \"17\")",
            ]),
            _ => self.anything(),
        }
    }
}
