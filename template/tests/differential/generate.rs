//! Random templates that mostly make sense, so that they get far.
#![expect(clippy::collapsible_if, reason = "each condition draws from the source of randomness in its turn")]

use std::collections::BTreeMap;

use crate::functions::{Function, Want, table};
use crate::oracle::Case;
use crate::pools::{Flavour, any_text, text};
use crate::random::Random;

/// Expressions inside each other.
const DEEPEST: usize = 4;
/// Blocks inside each other.
const DEEPEST_BLOCK: usize = 3;
/// The entries of the data, by what they hold.
const FIELDS: &[(&str, Flavour)] = &[
    ("text", Flavour::Words),
    ("other", Flavour::Words),
    ("json", Flavour::Json),
    ("yaml", Flavour::Yaml),
    ("num", Flavour::Number),
    ("date", Flavour::Date),
    ("ver", Flavour::Version),
    ("url", Flavour::Url),
    ("b64", Flavour::Base64),
    ("re", Flavour::Regex),
    ("key", Flavour::Key),
    ("format", Flavour::Format),
];
const METHODS_OF_TIME: &[&str] = &[
    "Year",
    "Month",
    "Day",
    "Hour",
    "Minute",
    "Second",
    "Nanosecond",
    "Weekday",
    "YearDay",
    "Unix",
    "UnixMilli",
    "UnixNano",
    "IsZero",
    "UTC",
    "Local",
    "String",
    "Format \"2006\"",
    "AddDate 0 1 -1",
    "UnixMicro",
    "Month.String",
    "Weekday.String",
];
const METHODS_OF_VERSIONS: &[&str] = &[
    "Major",
    "Minor",
    "Patch",
    "Prerelease",
    "Metadata",
    "Original",
    "String",
    "IncMajor",
    "IncMinor",
    "IncPatch",
    "IncMinor.String",
];

/// Makes cases from one source of randomness.
pub struct Generator<'r> {
    random: &'r mut Random,
    functions: &'r [Function],
    out: Vec<u8>,
    variables: Vec<(String, Want)>,
    names: usize,
    loops: usize,
    blocks: usize,
    templates: Vec<String>,
}

/// The functions that a generator draws from; made once.
pub fn functions() -> Vec<Function> {
    table()
}

/// One case.
pub fn case(random: &mut Random, functions: &[Function]) -> Case {
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is of one lifetime only")]
    case_of(random, functions, |generator| generator.template())
}

fn case_of(random: &mut Random, functions: &[Function], fill: impl Fn(&mut Generator)) -> Case {
    let data = data(random);
    let mut generator = Generator {
        random,
        functions,
        out: Vec::new(),
        variables: Vec::new(),
        names: 0,
        loops: 0,
        blocks: 0,
        templates: Vec::new(),
    };
    fill(&mut generator);
    Case { template: generator.out, data }
}

/// One call of one function with plain arguments: the most functions for the time.
pub fn single_call(random: &mut Random, functions: &[Function]) -> Case {
    let mut case = case_of(random, functions, |generator| {
        let at = generator.random.below(generator.functions.len());
        let function = &generator.functions[at];
        let count = function.params.len() + if function.rest.is_some() { generator.random.below(4) } else { 0 };
        generator.push("{{");
        let depth = if generator.random.percent(25) { 2 } else { 1 };
        generator.call(at, count, depth);
        generator.push("}}");
    });
    let unused: Vec<String> =
        case.data.keys().filter(|key| !contains(&case.template, key.as_bytes())).cloned().collect();
    for key in unused {
        case.data.remove(&key);
    }
    case
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn data(random: &mut Random) -> BTreeMap<String, Vec<u8>> {
    let mut data = BTreeMap::new();
    for (name, flavour) in FIELDS {
        if random.percent(92) {
            data.insert((*name).to_owned(), text(random, *flavour));
        }
    }
    data
}

impl Generator<'_> {
    fn template(&mut self) {
        if self.random.percent(15) {
            let name = format!("t{}", self.templates.len());
            self.action_text(&format!("define \"{name}\""));
            let outer = std::mem::take(&mut self.variables);
            self.statements(1);
            self.variables = outer;
            self.action_text("end");
            self.templates.push(name);
        }
        let count = 1 + self.random.below(4);
        for _ in 0..count {
            self.statement();
        }
        if self.random.percent(2) {
            // What every parser must refuse alike.
            let place = self.random.below(self.out.len() + 1);
            let length = self.random.below(3).min(self.out.len() - place);
            let piece: &[u8] = self.random.pick::<&[u8]>(&[
                b"".as_slice(),
                b"{{",
                b"}}",
                b"(",
                b")",
                b"|",
                b"\"",
                b".",
                b"$",
                b"{{end}}",
                b"{{else}}",
                b",",
                b":=",
                b"-",
            ]);
            self.out.splice(place..place + length, piece.iter().copied());
        }
    }

    fn statements(&mut self, most: usize) {
        for _ in 0..=self.random.below(most + 1) {
            self.statement();
        }
    }

    fn statement(&mut self) {
        if self.blocks >= DEEPEST_BLOCK {
            return self.print();
        }
        match self.random.below(100) {
            0..48 => self.print(),
            48..58 => self.plain(),
            58..68 => self.declare(),
            68..74 => self.assign(),
            74..83 => self.branch("if"),
            83..88 => self.branch("with"),
            88..95 => self.range(),
            95..97 => self.call_template(),
            97 => self.block_of_its_own(),
            98 => self.action_text("/* a comment */"),
            _ if self.loops > 0 => {
                let word = *self.random.pick(&["break", "continue"]);
                self.action_text(word);
            }
            _ => self.plain(),
        }
    }

    fn plain(&mut self) {
        let piece: &[u8] = self.random.pick::<&[u8]>(&[
            b"x".as_slice(),
            b" ",
            b"\n",
            b" \n\t ",
            b"text ",
            b"{ ",
            b"}",
            b"-",
            b"\xff",
            b"\xe2\x98\x83",
            b"|",
            b"\"",
            b"a: b\n",
        ]);
        self.out.extend_from_slice(piece);
    }

    /// `{{` and `}}` around an action, now and then trimming.
    fn open(&mut self) {
        let mark = if self.random.percent(8) {
            "{{- "
        } else if self.random.percent(30) {
            "{{"
        } else {
            "{{ "
        };
        self.push(mark);
    }

    fn close(&mut self) {
        let mark = if self.random.percent(8) {
            " -}}"
        } else if self.random.percent(30) {
            "}}"
        } else {
            " }}"
        };
        self.push(mark);
    }

    fn action_text(&mut self, text: &str) {
        let mark = if self.random.percent(8) { "{{- " } else { "{{" };
        self.push(mark);
        self.push(text);
        let mark = if self.random.percent(8) { " -}}" } else { "}}" };
        self.push(mark);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn print(&mut self) {
        self.open();
        let want = self.any_want();
        self.pipeline(want, DEEPEST);
        self.close();
    }

    fn declare(&mut self) {
        let name = format!("$v{}", self.names);
        self.names += 1;
        self.open();
        let want = self.any_want();
        self.push(&format!("{name} := "));
        self.pipeline(want, DEEPEST);
        self.close();
        self.variables.push((name, want));
    }

    fn assign(&mut self) {
        if self.variables.is_empty() {
            return self.declare();
        }
        let at = self.random.below(self.variables.len());
        let (name, want) = self.variables[at].clone();
        self.open();
        self.push(&format!("{name} = "));
        self.pipeline(want, DEEPEST - 1);
        self.close();
    }

    fn branch(&mut self, word: &str) {
        let kept = self.variables.len();
        self.open();
        self.push(word);
        self.push(" ");
        self.condition();
        self.close();
        self.blocks += 1;
        self.statements(2);
        while self.random.percent(15) {
            self.variables.truncate(kept);
            self.open();
            self.push("else ");
            self.push(word);
            self.push(" ");
            self.condition();
            self.close();
            self.statements(1);
        }
        if self.random.percent(40) {
            self.variables.truncate(kept);
            self.action_text("else");
            self.statements(1);
        }
        self.blocks -= 1;
        self.variables.truncate(kept);
        self.action_text("end");
    }

    fn condition(&mut self) {
        let want = if self.random.percent(60) { Want::Bool } else { self.any_want() };
        if self.random.percent(20) {
            let name = format!("$v{}", self.names);
            self.names += 1;
            self.push(&format!("{name} := "));
            self.pipeline(want, DEEPEST - 1);
            self.variables.push((name, want));
        } else {
            self.pipeline(want, DEEPEST - 1);
        }
    }

    fn range(&mut self) {
        let kept = self.variables.len();
        self.open();
        self.push("range ");
        let want = *self.random.pick(&[
            Want::List,
            Want::Strings,
            Want::Map,
            Want::Small,
            Want::Ints,
            Want::Texts,
            Want::Any,
            Want::List,
        ]);
        let element = match want {
            Want::Strings | Want::Texts => Want::Text(Flavour::Words),
            Want::Ints | Want::Small => Want::Small,
            _ => Want::Any,
        };
        let index = if matches!(want, Want::Map | Want::Texts) { Want::Text(Flavour::Key) } else { Want::Small };
        let mut own = Vec::new();
        match self.random.below(3) {
            0 => {}
            1 => own.push((self.fresh(), element)),
            _ => {
                own.push((self.fresh(), index));
                own.push((self.fresh(), element));
            }
        }
        if !own.is_empty() {
            let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
            let head = format!("{} := ", names.join(", "));
            self.push(&head);
        }
        self.pipeline(want, DEEPEST - 1);
        self.close();
        self.variables.extend(own);
        self.blocks += 1;
        self.loops += 1;
        self.statements(2);
        self.loops -= 1;
        self.variables.truncate(kept);
        if self.random.percent(25) {
            self.action_text("else");
            self.statements(1);
        }
        self.blocks -= 1;
        self.variables.truncate(kept);
        self.action_text("end");
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("$v{}", self.names - 1)
    }

    fn call_template(&mut self) {
        let name = if self.templates.is_empty() || self.random.percent(5) {
            "none".to_owned()
        } else {
            self.templates[0].clone()
        };
        self.open();
        self.push(&format!("template \"{name}\" "));
        if self.random.percent(80) {
            self.push(". ");
        } else {
            let want = self.any_want();
            self.pipeline(want, 2);
        }
        self.close();
    }

    fn block_of_its_own(&mut self) {
        let name = format!("b{}", self.names);
        self.names += 1;
        self.open();
        self.push(&format!("block \"{name}\" "));
        let want = self.any_want();
        self.pipeline(want, 2);
        self.close();
        let outer = std::mem::take(&mut self.variables);
        let loops = std::mem::take(&mut self.loops);
        self.blocks += 1;
        self.statements(1);
        self.blocks -= 1;
        self.variables = outer;
        self.loops = loops;
        self.action_text("end");
    }

    fn any_want(&mut self) -> Want {
        match self.random.below(20) {
            0..7 => Want::Text(Flavour::Words),
            7 | 8 => Want::Int,
            9 => Want::Float,
            10 => Want::Bool,
            11 | 12 => Want::List,
            13 => Want::Strings,
            14 | 15 => Want::Map,
            16 => Want::Time,
            17 => Want::Version,
            _ => Want::Any,
        }
    }

    /// An expression with its last argument piped in, or without a pipe.
    fn pipeline(&mut self, want: Want, depth: usize) {
        if depth > 1 && self.random.percent(35) {
            if let Some(at) = self.function_for(want) {
                let function = &self.functions[at];
                if let Some(&last) = function.params.last().filter(|_| function.rest.is_none()) {
                    self.pipeline(last, depth - 1);
                    self.push(" | ");
                    let count = function.params.len() - 1;
                    self.call(at, count, depth - 1);
                    return;
                }
            }
        }
        self.expression(want, depth, false);
    }

    /// One command or operand; within parentheses where it is an argument and more than one word.
    fn expression(&mut self, want: Want, depth: usize, argument: bool) {
        let want = if self.random.percent(4) { self.any_want() } else { want };
        if depth > 0 && self.random.percent(if argument { 40 } else { 75 }) {
            if let Some(at) = self.function_for(want) {
                if argument {
                    self.push("(");
                }
                let function = &self.functions[at];
                let mut count = function.params.len();
                if function.rest.is_some() {
                    count += self.random.below(4);
                }
                if self.random.percent(1) {
                    count = self.random.below(4);
                }
                if argument && count > 0 && depth > 1 && self.random.percent(10) {
                    // A pipeline within the parentheses.
                    let last = self.wanted(at, count - 1);
                    self.expression(last, depth - 1, false);
                    self.push(" | ");
                    self.call(at, count - 1, depth - 1);
                } else {
                    self.call(at, count, depth);
                }
                if argument {
                    self.push(")");
                    if self.random.percent(5) {
                        self.tail(want);
                    }
                }
                return;
            }
        }
        self.operand(want);
    }

    /// `.Field` or method behind a value.
    fn tail(&mut self, want: Want) {
        let tail = match want {
            Want::Time => self.random.pick(METHODS_OF_TIME).split(' ').next().unwrap_or("Year"),
            Want::Version => self.random.pick(METHODS_OF_VERSIONS),
            _ => self.random.pick(&["a", "b", "x", "Error", "nested", "list", "user", "_0", "_1", "n.x"]),
        };
        self.push(".");
        self.push(tail);
    }

    fn wanted(&self, at: usize, index: usize) -> Want {
        let function = &self.functions[at];
        function.params.get(index).copied().or(function.rest).unwrap_or(Want::Any)
    }

    fn call(&mut self, at: usize, count: usize, depth: usize) {
        let name = self.functions[at].name;
        self.push(name);
        for index in 0..count {
            self.push(" ");
            let want = self.wanted(at, index);
            self.expression(want, depth.saturating_sub(1), true);
        }
    }

    fn function_for(&mut self, want: Want) -> Option<usize> {
        // A text is a text to every function; what it says only matters for how far it gets.
        let fits = |function: &Function| match want {
            Want::Any => true,
            Want::Text(Flavour::Words) => matches!(function.result, Want::Text(_)),
            Want::Int | Want::Small => function.result == Want::Int,
            Want::Numeric => matches!(function.result, Want::Int | Want::Float | Want::Text(Flavour::Number)),
            other => function.result == other,
        };
        if want == Want::Small && self.random.percent(85) {
            return None;
        }
        let start = self.random.below(self.functions.len());
        let count = self.functions.len();
        let found = (0..count).map(|step| (start + step * 7919) % count).find(|&at| fits(&self.functions[at]));
        found.filter(|_| !matches!(want, Want::Text(flavour) if flavour != Flavour::Words && self.random.percent(50)))
    }

    fn operand(&mut self, want: Want) {
        if self.random.percent(12) && !self.variables.is_empty() {
            let fitting: Vec<&str> = self
                .variables
                .iter()
                .filter(|(_, kind)| *kind == want || want == Want::Any)
                .map(|(name, _)| name.as_str())
                .collect();
            if !fitting.is_empty() {
                let name = (*self.random.pick(&fitting)).to_owned();
                return self.push(&name);
            }
        }
        match want {
            Want::Text(flavour) => self.text_operand(flavour),
            Want::Small => self.small(),
            Want::Int => self.int(),
            Want::Float => self.float(),
            Want::Bool => self.one_of(&["true", "false"]),
            Want::Numeric => self.numeric(),
            Want::List => self.one_of(&[
                "(list)",
                "(list 1 2 3)",
                "(list \"a\" \"b\" \"a\")",
                "(list nil 1 \"x\" true)",
                "(list 3 1 2)",
                "(list (list 1) (list 2))",
                "(list 1.5 2)",
                "(fromJson .json)",
                "(until 3)",
                "(tuple 0 \"\" false)",
                "(splitList \",\" \"b,a\")",
                "nil",
                "(list (dict \"a\" 1) (dict \"a\" 2))",
            ]),
            Want::Strings => self.one_of(&[
                "(splitList \",\" .text)",
                "(splitList \",\" \"b,a,b\")",
                "(toStrings (list 1 2))",
                "(keys (dict \"b\" 1 \"a\" 2))",
                "(sortAlpha (list \"b\" \"a\"))",
                "(splitList \"\" \"abc\")",
            ]),
            Want::Ints => self.one_of(&["(until 4)", "(untilStep 3 0 -1)", "(until 0)"]),
            Want::Map => self.map(),
            Want::Texts => self.one_of(&[".", "$", "(split \",\" .text)", "(splitn \",\" 2 \"a,b,c\")", "."]),
            Want::Time => self.time(),
            Want::Version => {
                self.push("(semver ");
                self.text_operand(Flavour::Version);
                self.push(")");
                if self.random.percent(40) {
                    self.tail(Want::Version);
                }
            }
            Want::Any => self.anything(),
        }
    }

    fn one_of(&mut self, texts: &[&str]) {
        let text = *self.random.pick(texts);
        self.push(text);
    }

    fn anything(&mut self) {
        match self.random.below(24) {
            0..6 => self.text_operand(Flavour::Words),
            6..9 => self.int(),
            9 => self.float(),
            10 => self.operand(Want::Bool),
            11 | 12 => self.operand(Want::List),
            13 | 14 => self.operand(Want::Map),
            15 => self.operand(Want::Strings),
            16 => self.operand(Want::Ints),
            17 => self.operand(Want::Texts),
            18 => self.push("nil"),
            19 => self.operand(Want::Time),
            20 => self.operand(Want::Version),
            21 => self.push("."),
            22 => self.chain(),
            _ => {
                let text = any_text(self.random);
                self.literal(&text);
            }
        }
    }

    fn chain(&mut self) {
        self.one_of(&[
            ".text.x",
            ".absent",
            "$.json",
            "$",
            "(fromJson .json).a",
            "(fromJson .json).nested.x.y",
            "(dict \"a\" (dict \"b\" nil)).a.b",
            "(fromYaml .yaml).a",
            "(fromYaml .yaml).b.c",
            "(dict \"a\" 1).b",
            "$nope",
            ".text.json.x",
            "(fromJson .json).list",
            "(index . \"text\")",
            "(index . \"absent\")",
            "(fromJson \"{\\\"a\\\":null}\").a",
            "(fromJson \"{\\\"a\\\":null}\").a.b",
            "(list).a",
            "(nil).a",
            "(\"x\").a",
            "(1).a",
            "true.a",
            "nil.a",
            "(split \".\" \"a.b\")._0",
            "(split \".\" \"a.b\")._9",
        ]);
    }

    fn map(&mut self) {
        match self.random.below(8) {
            0 => self.push("(dict)"),
            1 => self.push("(fromJson .json)"),
            2 => self.push("(fromYaml .yaml)"),
            3 => self.push("(dict \"a\" 1 \"b\" (dict \"c\" \"d\") \"n\" nil)"),
            4 => self.push("(dict \"k\" .text \"x\" (list 1 2))"),
            5 => self.push("(urlParse .url)"),
            6 => self.push("nil"),
            _ => {
                self.push("(dict");
                for _ in 0..self.random.below(3) {
                    self.push(" ");
                    self.text_operand(Flavour::Key);
                    self.push(" ");
                    self.anything();
                }
                self.push(")");
            }
        }
    }

    fn time(&mut self) {
        match self.random.below(4) {
            0 => self.push("(toDate \"2006-01-02\" \"2024-02-29\")"),
            1 => self.push("(toDate \"2006-01-02T15:04:05Z07:00\" \"2024-05-06T07:08:09.123+02:00\")"),
            _ => {
                self.push("(toDate ");
                self.text_operand(Flavour::Layout);
                self.push(" ");
                self.text_operand(Flavour::Date);
                self.push(")");
            }
        }
        if self.random.percent(25) {
            self.tail(Want::Time);
        }
    }

    fn text_operand(&mut self, flavour: Flavour) {
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
    fn literal(&mut self, text: &[u8]) {
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

    fn small(&mut self) {
        self.one_of(&[
            "0", "1", "2", "3", "4", "5", "7", "10", "12", "20", "-1", "-2", "40", "1", "2", "3", "'\\x03'", "0x4",
            "2.0", "1e1",
        ]);
    }

    fn int(&mut self) {
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

    fn float(&mut self) {
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

    fn numeric(&mut self) {
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
