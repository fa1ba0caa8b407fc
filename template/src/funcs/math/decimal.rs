//! Decimal arithmetic of any size that a float can start, so that 0.1 and 0.2 make 0.3.

use std::cmp::Ordering;
use std::fmt;

use crate::error::Message;
use crate::fmt::float::{fixed_digits, shortest};

/// Places behind the point that a division keeps.
const DIVISION_PLACES: usize = 16;
/// Digits a result may have. Floats have up to a few hundred, and what has more is infinite as a float.
const MAX_DIGITS: usize = 2_000;
/// What a digit of a quotient is charged as, beside those of the divisor.
const STEPS_PER_PLACE: usize = 20;
/// Digits that are added, compared or multiplied in the time of a step.
const DIGITS_PER_STEP: usize = 8;

/// A sign, decimal digits from the most significant on, and how many of them stand behind the point.
#[derive(Clone)]
pub(super) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    places: usize,
}

impl Decimal {
    /// The shortest decimal that identifies the float.
    pub(super) fn from_float(value: f64) -> Result<Self, Message> {
        if !value.is_finite() {
            let name = crate::fmt::float::format_float(value, 'g', None);
            return Err(format!("Cannot create a Decimal from {name}").into());
        }
        let (digits, point) = shortest(value.abs());
        let text = fixed_digits(&digits, point);
        let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        Ok(Self { negative: value < 0.0, digits, places })
    }

    /// What [`Self::plus`] and [`Self::minus`] are charged as, in steps.
    pub(super) fn cost_of_sum(&self, other: &Self) -> usize {
        (self.digits.len() + other.digits.len() + self.places + other.places) / DIGITS_PER_STEP
    }

    /// What [`Self::times`] is charged as, in steps: each digit meets each other.
    pub(super) fn cost_of_product(&self, other: &Self) -> usize {
        self.digits.len().saturating_mul(other.digits.len()) / DIGITS_PER_STEP
    }

    /// What [`Self::divided_by`] is charged as, in steps: for each digit, the divisor is compared and taken away up to
    /// nine times.
    pub(super) fn cost_of_quotient(&self, other: &Self) -> usize {
        let quotient = self.digits.len() + other.places + DIVISION_PLACES;
        quotient.saturating_mul(STEPS_PER_PLACE + (other.digits.len() + self.places) / DIGITS_PER_STEP)
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let (left, right) = aligned(self, other);
        let places = self.places.max(other.places);
        if self.negative == other.negative {
            return Self { negative: self.negative, digits: sum(&left, &right), places }.trimmed();
        }
        let (negative, digits) = match left.cmp(&right) {
            Ordering::Less => (other.negative, difference(&right, &left)),
            _ => (self.negative, difference(&left, &right)),
        };
        Self { negative, digits, places }.trimmed()
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&Self { negative: !other.negative, ..other.clone() })
    }

    pub(super) fn times(&self, other: &Self) -> Result<Self, Message> {
        if self.digits.len() + other.digits.len() > MAX_DIGITS {
            return Err("product has too many digits; use fewer factors".into());
        }
        let mut cells = vec![0u32; self.digits.len() + other.digits.len()];
        for (i, left) in self.digits.iter().rev().enumerate() {
            let mut carry = 0;
            for (j, right) in other.digits.iter().rev().enumerate() {
                let cell = cells[i + j] + u32::from(*left) * u32::from(*right) + carry;
                cells[i + j] = cell % 10;
                carry = cell / 10;
            }
            cells[i + other.digits.len()] += carry;
        }
        let digits = cells.iter().rev().map(|&cell| u8::try_from(cell).unwrap_or(9)).collect();
        let places = self.places + other.places;
        Ok(Self { negative: self.negative != other.negative, digits, places }.trimmed())
    }

    /// The quotient, its last place rounded away from zero at half.
    pub(super) fn divided_by(&self, other: &Self) -> Result<Self, Message> {
        if other.digits.iter().all(|&digit| digit == 0) {
            return Err("decimal division by 0".into());
        }
        if self.digits.len() + other.places > MAX_DIGITS {
            return Err("quotient has too many digits; use fewer divisors".into());
        }
        let (dividend, divisor) = aligned(self, other);
        let mut quotient = Vec::new();
        let mut rest: Vec<u8> = Vec::new();
        for digit in dividend.into_iter().chain(std::iter::repeat_n(0, DIVISION_PLACES)) {
            rest.push(digit);
            let mut times = 0;
            while compare(&rest, &divisor) != Ordering::Less {
                rest = difference(&padded(&rest, divisor.len()), &padded(&divisor, rest.len()));
                times += 1;
            }
            quotient.push(times);
            let zeros = rest.iter().take_while(|&&digit| digit == 0).count();
            rest.drain(..zeros);
        }
        if compare(&sum(&padded(&rest, divisor.len()), &padded(&rest, divisor.len())), &divisor) != Ordering::Less {
            quotient = sum(&quotient, &padded(&[1], quotient.len()));
        }
        Ok(Self { negative: self.negative != other.negative, digits: quotient, places: DIVISION_PLACES }.trimmed())
    }

    /// Without zeros before the number.
    fn trimmed(mut self) -> Self {
        let zeros = self.digits.iter().take_while(|&&digit| digit == 0).count();
        self.digits.drain(..zeros);
        self
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_zero = self.digits.iter().all(|&digit| digit == 0);
        let digits = padded(&self.digits, self.places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.places);
        let text = |digits: &[u8]| -> String { digits.iter().map(|&digit| char::from(b'0' + digit)).collect() };
        let sign = if self.negative && !is_zero { "-" } else { "" };
        write!(f, "{sign}{}.{}", text(whole), text(fraction))
    }
}

/// Both as digits with the same places and length.
fn aligned(left: &Decimal, right: &Decimal) -> (Vec<u8>, Vec<u8>) {
    let places = left.places.max(right.places);
    let extended = |number: &Decimal| {
        let mut digits = number.digits.clone();
        digits.resize(digits.len() + places - number.places, 0);
        digits
    };
    let (left, right) = (extended(left), extended(right));
    let length = left.len().max(right.len());
    (padded(&left, length), padded(&right, length))
}

/// Zeros before the digits, up to a length.
fn padded(digits: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length.saturating_sub(digits.len())];
    out.extend_from_slice(digits);
    out
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let length = left.len().max(right.len());
    padded(left, length).cmp(&padded(right, length))
}

/// The sum of digits of equal length, one digit longer.
fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(left.len() + 1);
    let mut carry = 0;
    for (left, right) in left.iter().rev().zip(right.iter().rev()) {
        let cell = left + right + carry;
        out.push(cell % 10);
        carry = cell / 10;
    }
    out.push(carry);
    out.reverse();
    out
}

/// The difference of digits of equal length, of which the first is not less.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(left.len());
    let mut borrow = 0;
    for (left, right) in left.iter().rev().zip(right.iter().rev()) {
        let cell = left + 10 - right - borrow;
        out.push(cell % 10);
        borrow = u8::from(cell < 10);
    }
    out.reverse();
    out
}
