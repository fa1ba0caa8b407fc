//! Searches whose cost is known.
//!
//! What a search reads is not what it finds: to learn that `a` is the match of `[ab]*c|a`, all of the text must be read,
//! and again for the next match. So the automaton is driven from here, and each byte that it reads is charged. What
//! enters is a pattern in the syntax of the `regex` crate, and then texts; what leaves are matches and their groups.

use std::cell::RefCell;
use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::context::Context;
use crate::error::Message;

/// States of the pattern that a step pays for, for each byte: at worst, all of them are visited at each byte.
const STATES_PER_STEP: usize = 24;
/// As [`STATES_PER_STEP`] where groups are followed, which copies them all the time; so many groups more halve it.
const GROUPED_STATES_PER_STEP: usize = 256;
/// What following one state costs beside its groups, in groups' ends.
const ENDS_PER_STATE: usize = 8;
/// Bytes that are read between two charges.
const STRIDE: usize = 1 << 10;
/// What one direction of an automaton may keep of what it has computed.
const CACHE_BYTES: usize = 1 << 20;
/// What following groups may take: the ends of all groups, for each state, twice.
const MAX_GROUP_BYTES: usize = 8 << 20;
/// Groups inside each other; the parser of the crate recurses.
const NEST_LIMIT: u32 = 100;

/// Why there is no engine for a pattern.
pub(super) enum Refusal {
    /// It needs more memory than it may.
    TooBig,
    /// It is not in the syntax.
    Unsupported,
}

/// A compiled pattern.
pub(super) struct Engine {
    /// Finds the end of a match.
    forward: DFA,
    /// Finds where the match with a known end begins.
    backward: DFA,
    /// What both have computed so far.
    caches: RefCell<(Cache, Cache)>,
}

impl Engine {
    /// Compiles a pattern into so many bytes at most for each direction.
    pub(super) fn compile(pattern: &str, size: usize) -> Result<Self, Refusal> {
        let compiled = |config: thompson::Config| {
            let mut compiler = thompson::Compiler::new();
            compiler.syntax(syntax::Config::new().nest_limit(NEST_LIMIT)).configure(config.nfa_size_limit(Some(size)));
            compiler.build(pattern).map_err(|error| match error.size_limit() {
                Some(_) => Refusal::TooBig,
                None => Refusal::Unsupported,
            })
        };
        let lazy = |nfa: NFA, kind: MatchKind| {
            let config = DFA::config().cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true).match_kind(kind);
            DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| Refusal::Unsupported)
        };
        let forward = lazy(compiled(NFA::config())?, MatchKind::LeftmostFirst)?;
        let backwards = NFA::config().reverse(true).which_captures(thompson::WhichCaptures::None);
        let backward = lazy(compiled(backwards)?, MatchKind::All)?;
        let caches = RefCell::new((forward.create_cache(), backward.create_cache()));
        Ok(Self { forward, backward, caches })
    }

    /// Whether the pattern matches anywhere.
    pub(super) fn is_match(&self, context: &Context, text: &str) -> Result<bool, Message> {
        Ok(self.end(context, text, 0, true)?.is_some())
    }

    /// The first match that begins at `from`, a boundary of characters, or behind it.
    pub(super) fn find(&self, context: &Context, text: &str, from: usize) -> Result<Option<Range<usize>>, Message> {
        let Some((from, end)) = self.end(context, text, from, false)? else { return Ok(None) };
        let input = Input::new(text).range(from..end).anchored(Anchored::Yes);
        let mut caches = self.caches.borrow_mut();
        let start = self.backward.try_search_rev(&mut caches.1, &input).map_err(|_| gave_up())?;
        Ok(Some(start.map_or(from, |start| start.offset())..end))
    }

    /// The groups of a match that was found.
    pub(super) fn groups(&self, context: &Context, text: &str, found: &Range<usize>) -> Result<Captures, Message> {
        let nfa = self.forward.get_nfa();
        let input = Input::new(text).range(found.clone()).anchored(Anchored::Yes);
        let (states, ends) = (nfa.states().len(), nfa.group_info().slot_len());
        context.spend(ends / STATES_PER_STEP)?;
        let mut groups = Captures::all(nfa.group_info().clone());
        let backtracker = BoundedBacktracker::new_from_nfa(nfa.clone()).map_err(|_| gave_up())?;
        if found.len() < backtracker.max_haystack_len() {
            context.spend(1 + (found.len() + 1).saturating_mul(states) / STATES_PER_STEP)?;
            let mut cache = backtracker.create_cache();
            backtracker.try_search(&mut cache, &input, &mut groups).map_err(|_| gave_up())?;
            return Ok(groups);
        }
        let cells = states.saturating_mul(ends);
        if cells.saturating_mul(2 * size_of::<usize>()) > MAX_GROUP_BYTES {
            return Err(Message::ours("pattern has too many groups for matches that long; simplify it"));
        }
        let per_byte = cells.saturating_add(states.saturating_mul(ENDS_PER_STATE));
        context.spend(found.len().saturating_mul(per_byte) / GROUPED_STATES_PER_STEP)?;
        let machine = PikeVM::new_from_nfa(nfa.clone()).map_err(|_| gave_up())?;
        machine.search(&mut machine.create_cache(), &input, &mut groups);
        Ok(groups)
    }

    /// Where the first match from `from` on ends, with the place behind which it begins; of the shortest one, if any
    /// does.
    fn end(&self, context: &Context, text: &str, from: usize, any: bool) -> Result<Option<(usize, usize)>, Message> {
        // An empty match may lie between the bytes of a character, and then does not count.
        for from in from..=text.len() {
            match self.scan(context, text, from, any)? {
                Some(end) if !text.is_char_boundary(end) => {}
                found => return Ok(found.map(|end| (from, end))),
            }
        }
        Ok(None)
    }

    fn scan(&self, context: &Context, text: &str, from: usize, any: bool) -> Result<Option<usize>, Message> {
        let (dfa, cache) = (&self.forward, &mut self.caches.borrow_mut().0);
        let states = dfa.get_nfa().states().len();
        context.spend(1)?;
        let mut state = dfa.start_state_forward(cache, &Input::new(text).range(from..)).map_err(|_| gave_up())?;
        let mut end = None;
        for (index, stride) in text.as_bytes()[from..].chunks(STRIDE).enumerate() {
            for (at, &byte) in stride.iter().enumerate() {
                state = dfa.next_state(cache, state, byte).map_err(|_| gave_up())?;
                if state.is_match() {
                    // The automaton tells one byte later.
                    end = Some(from + index * STRIDE + at);
                }
                if state.is_dead() || (any && end.is_some()) {
                    context.spend((at + 1).saturating_mul(states) / STATES_PER_STEP)?;
                    return Ok(end);
                }
            }
            context.spend(stride.len().saturating_mul(states) / STATES_PER_STEP)?;
        }
        state = dfa.next_eoi_state(cache, state).map_err(|_| gave_up())?;
        Ok(if state.is_match() { Some(text.len()) } else { end })
    }
}

/// What the engines answer where they are used otherwise than here.
fn gave_up() -> Message {
    Message::ours("pattern cannot be searched for; simplify it")
}
