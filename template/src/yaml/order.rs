//! The order of keys: letters after other signs, and numbers within names by value.

use std::cmp::Ordering;

use crate::category::is_letter;

/// Compares two keys the way the Go library sorts them.
pub(super) fn natural_order(left: &str, right: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut digits = false;
    for (at, (&l, &r)) in left.iter().zip(&right).enumerate() {
        if l == r {
            digits = l.is_ascii_digit();
            continue;
        }
        return match (is_letter(l), is_letter(r)) {
            (true, true) => l.cmp(&r),
            // A letter sorts after other signs, but before what goes on with a number.
            (true, false) => {
                if digits {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, true) => {
                if digits {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, false) => numbers(&left, &right, at),
        };
    }
    left.len().cmp(&right.len())
}

fn numbers(left: &[char], right: &[char], at: usize) -> Ordering {
    // Behind a number that does not begin with 0, a 0 counts as a digit of it.
    let inside = (left[at] == '0' || right[at] == '0')
        && left[..at].iter().rev().take_while(|char| char.is_ascii_digit()).any(|&char| char != '0');
    let value = |chars: &[char]| {
        let digits = chars[at..].iter().take_while(|char| char.is_ascii_digit());
        let start = (u64::from(inside), 0usize);
        digits.fold(start, |(value, length), char| {
            (value.wrapping_mul(10).wrapping_add(u64::from(char.to_digit(10).unwrap_or_default())), length + 1)
        })
    };
    value(left).cmp(&value(right)).then_with(|| left[at].cmp(&right[at]))
}
