//! Pipelines, calls and operands of every type that functions want.
#![expect(clippy::collapsible_if, reason = "each condition draws from the source of randomness in its turn")]

use super::Generator;
use crate::functions::{Function, Want};
use crate::pools::{Flavour, any_text};

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

impl Generator<'_> {
    pub(super) fn any_want(&mut self) -> Want {
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
    pub(super) fn pipeline(&mut self, want: Want, depth: usize) {
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

    pub(super) fn call(&mut self, at: usize, count: usize, depth: usize) {
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

    pub(super) fn anything(&mut self) {
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
}
