//! Numeric literals, and which types they can take.

use super::Span;

/// A numeric literal.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) literal: Span,
    pub(crate) value: Numeric,
    /// Whether it stands for a float where no type is asked for: it is written as one.
    pub(crate) looks_float: bool,
}

/// The value of a numeric literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Numeric {
    Int(i64),
    /// More than an `int` holds.
    Uint(u64),
    Float(f64),
    /// Real and imaginary part, of which the latter may be 0.
    Complex(f64, f64),
}

impl Numeric {
    /// The value as `int`, if it is whole and fits.
    pub(crate) fn int(self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(int),
            Self::Uint(_) => None,
            Self::Float(_) | Self::Complex(..) => self.float().and_then(whole),
        }
    }

    /// The value as `uint64`.
    pub(crate) fn uint(self) -> Option<u64> {
        match self {
            Self::Uint(uint) => Some(uint),
            _ => u64::try_from(self.int()?).ok(),
        }
    }

    /// The value as `float64`, if it is real.
    pub(crate) fn float(self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(as_float(int)),
            Self::Uint(uint) => Some(as_unsigned_float(uint)),
            Self::Float(float) => Some(float),
            Self::Complex(real, imaginary) => (imaginary == 0.0).then_some(real),
        }
    }
}

/// The integer that a float equals, if there is one.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and the comparison rejects what did")]
    let int = float as i64;
    #[expect(clippy::float_cmp, reason = "exactness is the question")]
    (as_float(int) == float && int != i64::MAX).then_some(int)
}

#[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
fn as_float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "Go rounds the same way")]
fn as_unsigned_float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_the_types_that_hold_it() {
        let types = |value: Numeric| (value.int(), value.uint(), value.float());
        assert_eq!(types(Numeric::Int(-1)), (Some(-1), None, Some(-1.0)));
        assert_eq!(types(Numeric::Uint(1 << 63)), (None, Some(1 << 63), Some(2f64.powi(63))));
        assert_eq!(types(Numeric::Float(1e3)), (Some(1000), Some(1000), Some(1e3)));
        assert_eq!(types(Numeric::Float(1.5)), (None, None, Some(1.5)));
        assert_eq!(types(Numeric::Complex(2.0, 0.0)), (Some(2), Some(2), Some(2.0)));
        assert_eq!(types(Numeric::Complex(2.0, 1.0)), (None, None, None));
    }
}
