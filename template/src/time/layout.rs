//! Go's layouts, which are dates of a certain moment: `Mon Jan 2 15:04:05 MST 2006`.

/// An element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumericMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Upper,
    Lower,
    ZoneName,
    /// `Z07:00` and its like are `iso`: Z for UTC.
    Offset {
        iso: bool,
        shape: Shape,
    },
    /// `.000` with all digits, or `.999` without trailing zeros.
    Fraction {
        separator: u8,
        digits: usize,
        trims: bool,
    },
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Hours,
    Minutes,
    ColonMinutes,
    Seconds,
    ColonSeconds,
}

/// Longest first, so that none hides a longer one.
const OFFSETS: [(&[u8], Shape); 5] = [
    (b"07:00:00", Shape::ColonSeconds),
    (b"070000", Shape::Seconds),
    (b"07:00", Shape::ColonMinutes),
    (b"0700", Shape::Minutes),
    (b"07", Shape::Hours),
];

/// The text before the first element, the element, its own text, and what follows it.
pub(super) type Chunk<'l> = (&'l [u8], Option<Element>, &'l [u8], &'l [u8]);

/// Finds the first element.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for at in 0..layout.len() {
        if let Some((skipped, length, element)) = element_at(&layout[at..]) {
            let start = at + skipped;
            let end = start + length;
            return (&layout[..start], Some(element), &layout[start..end], &layout[end..]);
        }
    }
    (layout, None, b"", b"")
}

/// The element at the start of a text: how many bytes before it are literal, its length, and what it is.
fn element_at(text: &[u8]) -> Option<(usize, usize, Element)> {
    let found = |length: usize, element: Element| Some((0, length, element));
    match text {
        [b'J', ..] if text.starts_with(b"January") => found(7, Element::LongMonth),
        [b'J', b'a', b'n', rest @ ..] if !starts_lower(rest) => found(3, Element::Month),
        [b'M', ..] if text.starts_with(b"Monday") => found(6, Element::LongWeekday),
        [b'M', b'o', b'n', rest @ ..] if !starts_lower(rest) => found(3, Element::Weekday),
        [b'M', b'S', b'T', ..] => found(3, Element::ZoneName),
        [b'0', b'1', ..] => found(2, Element::ZeroMonth),
        [b'0', b'2', ..] => found(2, Element::ZeroDay),
        [b'0', b'3', ..] => found(2, Element::ZeroHour12),
        [b'0', b'4', ..] => found(2, Element::ZeroMinute),
        [b'0', b'5', ..] => found(2, Element::ZeroSecond),
        [b'0', b'6', ..] => found(2, Element::Year),
        [b'0', b'0', b'2', ..] => found(3, Element::ZeroYearDay),
        [b'1', b'5', ..] => found(2, Element::Hour),
        [b'1', ..] => found(1, Element::NumericMonth),
        [b'2', b'0', b'0', b'6', ..] => found(4, Element::LongYear),
        [b'2', ..] => found(1, Element::Day),
        // The underscore before a year is an underscore.
        [b'_', b'2', b'0', b'0', b'6', ..] => Some((1, 4, Element::LongYear)),
        [b'_', b'2', ..] => found(2, Element::SpaceDay),
        [b'_', b'_', b'2', ..] => found(3, Element::SpaceYearDay),
        [b'3', ..] => found(1, Element::Hour12),
        [b'4', ..] => found(1, Element::Minute),
        [b'5', ..] => found(1, Element::Second),
        [b'P', b'M', ..] => found(2, Element::Upper),
        [b'p', b'm', ..] => found(2, Element::Lower),
        [sign @ (b'-' | b'Z'), rest @ ..] => {
            let (literal, shape) = OFFSETS.iter().find(|(literal, _)| rest.starts_with(literal))?;
            found(1 + literal.len(), Element::Offset { iso: *sign == b'Z', shape: *shape })
        }
        [separator @ (b'.' | b','), digit @ (b'0' | b'9'), rest @ ..] => {
            let more = rest.iter().take_while(|&byte| byte == digit).count();
            if rest.get(more).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let digits = 1 + more;
            found(1 + digits, Element::Fraction { separator: *separator, digits, trims: *digit == b'9' })
        }
        _ => None,
    }
}

fn starts_lower(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_lowercase)
}
