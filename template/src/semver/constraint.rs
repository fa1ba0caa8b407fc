//! `>=1.2 <2 || ~3.1`: alternatives, each a list of conditions that all must hold.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;

use super::Version;
use crate::error::Message;

/// Longest text of constraints in bytes: each few of them become a constraint of a hundred.
const MAX_TEXT: usize = 16 << 10;

/// Constraints as written.
pub(crate) struct Constraints {
    alternatives: Vec<Vec<Constraint>>,
}

impl Constraints {
    /// Parses a text.
    pub(crate) fn parse(text: &str) -> Result<Self, Message> {
        if text.len() > MAX_TEXT {
            return Err(format!("constraint is longer than {MAX_TEXT} bytes; make it shorter").into());
        }
        let Some(grammar) = GRAMMAR.as_ref() else { return Err("constraints cannot be read".into()) };
        let text = grammar.range.replace_all(text, ">= $from, <= $to ");
        let alternatives = text.split("||").map(|part| alternative(grammar, part));
        Ok(Self { alternatives: alternatives.collect::<Result<_, _>>()? })
    }

    /// Whether some alternative holds.
    pub(crate) fn hold_for(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| all.iter().all(|constraint| constraint.holds_for(version)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "=" => Self::Equal,
            "!=" => Self::NotEqual,
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" | "=>" => Self::GreaterOrEqual,
            "<=" | "=<" => Self::LessOrEqual,
            "~" | "~>" => Self::Tilde,
            "^" => Self::Caret,
            _ => return None,
        })
    }
}

/// The first part of a version that a constraint leaves open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Major,
}

struct Constraint {
    operator: Operator,
    version: Version,
    open: Open,
}

impl Constraint {
    fn holds_for(&self, version: &Version) -> bool {
        let wanted = &self.version;
        // Prereleases fit only constraints that speak of prereleases.
        let surprise = !version.prerelease.is_empty() && wanted.prerelease.is_empty();
        let order = version.order(wanted);
        match self.operator {
            Operator::NotEqual => self.differs(version, surprise),
            _ if surprise => false,
            Operator::Equal if self.open == Open::Nothing => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => order != Ordering::Less && self.is_near(version),
            Operator::Greater => match (self.open, version.major.cmp(&wanted.major)) {
                (Open::Nothing, _) | (Open::Major, Ordering::Equal) => order == Ordering::Greater,
                (_, Ordering::Greater) => true,
                (_, Ordering::Less) | (Open::Minor, _) => false,
                (Open::Patch, _) => version.minor > wanted.minor,
            },
            Operator::Less => order == Ordering::Less,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::LessOrEqual if self.open == Open::Nothing => order != Ordering::Greater,
            Operator::LessOrEqual => {
                let same_major = version.major == wanted.major;
                let beyond = same_major && version.minor > wanted.minor && self.open != Open::Minor;
                version.major <= wanted.major && !beyond
            }
            Operator::Caret => order != Ordering::Less && self.is_compatible(version),
        }
    }

    fn differs(&self, version: &Version, surprise: bool) -> bool {
        let wanted = &self.version;
        match self.open {
            _ if surprise => false,
            Open::Nothing | Open::Major => version.order(wanted) != Ordering::Equal,
            Open::Minor => version.major != wanted.major,
            Open::Patch => (version.major, version.minor) != (wanted.major, wanted.minor),
        }
    }

    /// The same as far as the constraint says; 0.0.0 stands for everything.
    fn is_near(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let anything =
            (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) && matches!(self.open, Open::Nothing | Open::Major);
        let same_minor = version.minor == wanted.minor || self.open == Open::Minor;
        anything || (version.major == wanted.major && same_minor)
    }

    /// The same up to the first number that is not 0.
    fn is_compatible(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if wanted.major > 0 || self.open == Open::Minor {
            return version.major == wanted.major;
        }
        if version.major > 0 {
            return false;
        }
        if wanted.minor > 0 || self.open == Open::Patch {
            return version.minor == wanted.minor;
        }
        version.minor == 0 && version.patch == wanted.patch
    }
}

/// What constraints look like.
struct Grammar {
    /// `1.2 - 1.4`
    range: Regex,
    /// Conditions with spaces or a comma between.
    all: Regex,
    one: Regex,
}

static GRAMMAR: LazyLock<Option<Grammar>> = LazyLock::new(|| {
    const NUMBER: &str = r"[0-9xX*|]+";
    const TAIL: &str = r"[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*";
    const OPERATOR: &str = r"(?:=|!=|>=|=>|<=|=<|~>|>|<|~|\^)?";
    const SPACE: &str = r"[\t\n\x0c\r ]";
    let version = format!(r"v?{NUMBER}(?:\.{NUMBER}){{0,2}}(?:-{TAIL})?(?:\+{TAIL})?");
    let condition = format!("{OPERATOR}{SPACE}*{version}");
    let range = format!("{SPACE}*(?<from>{version}){SPACE}+-{SPACE}+(?<to>{version}){SPACE}*");
    let all = format!("^{SPACE}*{condition}{SPACE}*(?:(?:{SPACE}+|,{SPACE}*){condition}{SPACE}*)*$");
    let one = format!("(?<operator>{OPERATOR}){SPACE}*(?<version>{version})");
    Some(Grammar { range: Regex::new(&range).ok()?, all: Regex::new(&all).ok()?, one: Regex::new(&one).ok()? })
});

/// Conditions that all must hold.
fn alternative(grammar: &Grammar, text: &str) -> Result<Vec<Constraint>, Message> {
    if !grammar.all.is_match(text) {
        return Err(Message::plain("improper constraint: ").data(text));
    }
    let constraints = grammar.one.captures_iter(text).map(|found| {
        let read = Operator::parse(&found["operator"]).and_then(|operator| constraint(operator, &found["version"]));
        read.ok_or_else(|| "constraint parser error".into())
    });
    constraints.collect()
}

fn constraint(operator: Operator, text: &str) -> Option<Constraint> {
    let is_open = |part: Option<&&str>| part.is_none_or(|part| matches!(*part, "x" | "X" | "*"));
    let bare = text.strip_prefix('v').unwrap_or(text);
    let tail = bare.find(['-', '+']).unwrap_or(bare.len());
    let parts: Vec<&str> = bare[..tail].split('.').collect();
    let (open, numbers) = if is_open(parts.first()) {
        (Open::Major, "0.0.0".to_owned())
    } else if is_open(parts.get(1)) {
        (Open::Minor, format!("{}.0.0", parts.first()?))
    } else if is_open(parts.get(2)) {
        (Open::Patch, format!("{}.{}.0", parts.first()?, parts.get(1)?))
    } else {
        (Open::Nothing, parts.join("."))
    };
    let version = Version::parse((numbers + &bare[tail..]).as_bytes()).ok()?;
    Some(Constraint { operator, version, open })
}
