//! Random text, from the randomness of the system.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Type::{Int, Str};
use super::{Args, Function, doc};
use crate::context::Context;
use crate::error::Message;
use crate::issue::generate::fill;
use crate::text::{rune_count, runes};
use crate::value::Value;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The printable characters of ASCII and the range they make.
const PRINTABLE: std::ops::RangeInclusive<u8> = b' '..=b'~';

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "randAlpha",
        &[Int],
        Str,
        doc(
            "So many random letters. Another one at every refresh: use `refreshPolicy: CreatedOnce` to keep it.",
            "{{ randAlpha 8 | len }}",
            "8",
        ),
        |context, args| characters(context, args.int(0), LETTERS),
    ),
    Function::new(
        "randNumeric",
        &[Int],
        Str,
        doc("So many random digits.", r#"{{ randNumeric 6 | regexMatch "^[0-9]{6}$" }}"#, "true"),
        |context, args| characters(context, args.int(0), DIGITS),
    ),
    Function::new(
        "randAlphaNum",
        &[Int],
        Str,
        doc("So many random letters and digits.", "{{ randAlphaNum 32 | len }}", "32"),
        |context, args| characters(context, args.int(0), ALPHANUMERIC),
    ),
    Function::new(
        "randAscii",
        &[Int],
        Str,
        doc(
            "So many random printable characters of ASCII, with space and quotes among them.",
            "{{ randAscii 24 | len }}",
            "24",
        ),
        |context, args| {
            let printable: Vec<u8> = PRINTABLE.collect();
            characters(context, args.int(0), &printable)
        },
    ),
    Function::new(
        "randBytes",
        &[Int],
        Str,
        doc("So many random bytes, in base 64.", "{{ randBytes 32 | b64dec | len }}", "32"),
        rand_bytes,
    ),
    Function::new(
        "randInt",
        &[Int, Int],
        Int,
        doc(
            "A random number from the first to before the second argument. Fails unless the second is greater.",
            "{{ randInt 30000 30001 }}",
            "30000",
        ),
        rand_int,
    ),
    Function::new(
        "shuffle",
        &[Str],
        Str,
        doc("The characters of a text in random order.", "{{ shuffle .user | len }}", "3"),
        shuffle,
    ),
    Function::new("uuidv4", &[], Str, doc("A random UUID.", "{{ uuidv4 | len }}", "36"), |_, _| uuid()),
];

/// What a random number from the system is charged as.
const STEPS_PER_DRAW: usize = 4;

/// A random number below `end`, each equally likely.
fn below(end: u64) -> Result<u64, Message> {
    // Numbers from the incomplete last range would favour the low ones.
    let fair = u64::MAX - u64::MAX % end;
    loop {
        let mut buffer = [0; 8];
        fill(&mut buffer)?;
        let number = u64::from_ne_bytes(buffer);
        if number < fair {
            return Ok(number % end);
        }
    }
}

fn size(context: &Context, count: i64) -> Result<usize, Message> {
    let count = usize::try_from(count).map_err(|_| Message::plain("count is negative; give 0 or more"))?;
    context.check_bytes(count.saturating_mul(2))?;
    context.spend(count)?;
    Ok(count)
}

fn characters(context: &Context, count: i64, alphabet: &[u8]) -> Result<Value, Message> {
    // Sprig gives as many as it can for less than none.
    let count = size(context, count.max(0))?;
    let end = u64::try_from(alphabet.len()).unwrap_or(1).max(1);
    let mut text = Vec::with_capacity(count);
    for _ in 0..count {
        let index = usize::try_from(below(end)?).unwrap_or_default();
        text.extend(alphabet.get(index));
    }
    Ok(Value::str(text))
}

fn rand_bytes(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let mut bytes = Zeroizing::new(vec![0; size(context, args.int(0))?]);
    fill(&mut bytes)?;
    Ok(Value::str(STANDARD.encode(&bytes)))
}

fn rand_int(_: &mut Context, args: &Args) -> Result<Value, Message> {
    let (from, to) = (args.int(0), args.int(1));
    let range = to.checked_sub(from).and_then(|range| u64::try_from(range).ok()).filter(|&range| range > 0);
    let range = range.ok_or_else(|| Message::plain("invalid argument to Intn"))?;
    Ok(Value::int(from.wrapping_add_unsigned(below(range)?)))
}

fn shuffle(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let count = rune_count(args.str(0));
    context.check_bytes(count.saturating_mul(size_of::<char>()))?;
    context.spend(count.saturating_mul(STEPS_PER_DRAW))?;
    let mut chars: Vec<char> = runes(args.str(0)).map(|(_, rune)| rune.char).collect();
    for last in (1..chars.len()).rev() {
        let other = below(u64::try_from(last + 1).unwrap_or(1))?;
        chars.swap(last, usize::try_from(other).unwrap_or(last));
    }
    Ok(Value::str(chars.into_iter().collect::<String>()))
}

fn uuid() -> Result<Value, Message> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = super::encoding::hex(&bytes);
    Ok(Value::str(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])))
}
