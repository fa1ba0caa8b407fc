//! Text, actions and blocks: what a template is made of.

use super::Generator;
use crate::functions::Want;
use crate::pools::Flavour;

/// Expressions inside each other.
const DEEPEST: usize = 4;
/// Blocks inside each other.
const DEEPEST_BLOCK: usize = 3;

impl Generator<'_> {
    pub(super) fn template(&mut self) {
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
}
