//! The shortest case that still shows a difference.

use std::collections::HashSet;

use crate::compare::Difference;
use crate::oracle::Case;
use crate::tokens::split;

/// Rounds of making a case shorter; each asks for many variants at once.
const ROUNDS: usize = 60;
/// Variants asked for in one round, and how many of them at once; the first lot that helps ends the round.
const VARIANTS: usize = 300;
const AT_ONCE: usize = 40;

/// Leaves out whatever may go without the difference going, too. `judge` finds the differences among some cases.
pub fn minimised(found: &Difference, mut judge: impl FnMut(&[Case]) -> Vec<Option<Difference>>) -> Difference {
    let mut best = found.clone();
    let mut tried = HashSet::new();
    for _ in 0..ROUNDS {
        let mut variants: Vec<Case> = variants(&best.case).into_iter().filter(|case| !tried.contains(case)).collect();
        variants.truncate(VARIANTS);
        if variants.is_empty() {
            break;
        }
        tried.extend(variants.iter().cloned());
        let shortest = variants.chunks(AT_ONCE).find_map(|some| {
            judge(some)
                .into_iter()
                .flatten()
                .filter(|difference| difference.class() == found.class() && size(&difference.case) < size(&best.case))
                .min_by_key(|difference| size(&difference.case))
        });
        if let Some(shortest) = shortest {
            best = shortest;
        }
    }
    best
}

fn size(case: &Case) -> usize {
    case.template.len() * 2 + case.data.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>()
}

/// Large steps first.
fn variants(case: &Case) -> Vec<Case> {
    let mut variants = Vec::new();
    let tokens = split(&case.template);
    let with = |tokens: Vec<Vec<u8>>| Case { template: tokens.concat(), data: case.data.clone() };
    if case.data.len() > 1 {
        let named = |key: &String| case.template.windows(key.len()).any(|part| part == key.as_bytes());
        let data =
            case.data.iter().filter(|(key, _)| named(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        variants.push(Case { template: case.template.clone(), data });
    }
    let mut step = tokens.len() / 2;
    while step > 0 {
        for from in (0..tokens.len()).step_by(step.div_ceil(2)) {
            let mut fewer = tokens.clone();
            fewer.drain(from..(from + step).min(tokens.len()));
            variants.push(with(fewer));
        }
        step /= 2;
    }
    for (open, close) in groups(&tokens) {
        let unwrapped = [&tokens[..open], &tokens[open + 1..close], &tokens[close + 1..]].concat();
        variants.push(with(unwrapped));
        for simple in ["1", "\"a\"", "."] {
            let simpler = [&tokens[..open], &[simple.as_bytes().to_vec()], &tokens[close + 1..]].concat();
            variants.push(with(simpler));
        }
    }
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.len() > 2) {
        for shorter in shortened(token) {
            let mut tokens = tokens.clone();
            tokens[at] = shorter;
            variants.push(with(tokens));
        }
    }
    for (key, value) in &case.data {
        let mut data = case.data.clone();
        data.remove(key);
        variants.push(Case { template: case.template.clone(), data: data.clone() });
        for shorter in shortened(value) {
            data.insert(key.clone(), shorter);
            variants.push(Case { template: case.template.clone(), data: data.clone() });
        }
    }
    variants
}

/// A text without one of its parts.
fn shortened(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut width = text.len() / 2;
    while width > 0 && all.len() < 60 {
        for from in (0..text.len()).step_by(width) {
            let mut shorter = text.to_vec();
            shorter.drain(from..(from + width).min(text.len()));
            all.push(shorter);
        }
        width /= 2;
    }
    all
}

/// Where parentheses and whole actions open and close.
fn groups(tokens: &[Vec<u8>]) -> Vec<(usize, usize)> {
    let mut open = Vec::new();
    let mut groups = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_slice() {
            b"(" => open.push(at),
            b")" => groups.extend(open.pop().map(|from| (from, at))),
            _ => {}
        }
    }
    groups
}
