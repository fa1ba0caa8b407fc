//! Whole numbers in decimal, without an allocation.

/// Digits of the longest `u64`.
const MAX_DIGITS: usize = 20;

/// The decimal digits of a number.
pub(crate) struct Decimal {
    /// The digits stand at the end.
    digits: [u8; MAX_DIGITS],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; MAX_DIGITS];
        let mut start = MAX_DIGITS;
        for (index, place) in digits.iter_mut().enumerate().rev() {
            *place = b"0123456789"[(number % 10) as usize];
            number /= 10;
            start = index;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 1, 9, 10, 99, 100, 5432, u64::MAX - 1, u64::MAX] {
            assert_eq!(Decimal::new(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
