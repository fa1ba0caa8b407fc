//! Numbers: conversion, integer arithmetic, rounding, sequences.

use super::Type::{Any, Float, Int, Int64, Ints, Str};
use super::{Args, Function, doc};
use crate::cast::{to_float, to_int};
use crate::context::Context;
use crate::error::Message;
use crate::number::{parse_float, parse_int, parse_int_or_limit};
use crate::value::{List, Value};

mod decimal;

use decimal::Decimal;

/// What one operation on decimals is charged as, beside what their digits cost.
const STEPS_PER_DECIMAL: usize = 50;
/// Digits that are read into a float in the time of a step.
const DIGITS_PER_STEP: usize = 8;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "atoi",
        &[Str],
        Int,
        doc("The decimal number that a text is, else 0.", "{{ add (atoi .port) 1 }}", "5433"),
        |_, args| Ok(Value::int(parse_int_or_limit(args.str(0), 10))),
    ),
    Function::new(
        "int",
        &[Any],
        Int,
        doc(
            "The value as a whole number: texts may be decimal, `0x1f`, octal `017`, and are cut at a decimal \
             point. 0 for what is none.",
            "{{ int .port }}",
            "5432",
        ),
        |_, args| Ok(Value::int(to_int(args.value(0)))),
    ),
    Function::new(
        "int64",
        &[Any],
        Int64,
        doc("As `int`, of the type `int64`.", r#"{{ int64 (fromJson "5432000") }}"#, "5432000"),
        |_, args| Ok(Value::int64(to_int(args.value(0)))),
    ),
    Function::new(
        "float64",
        &[Any],
        Float,
        doc("The value as a fraction; 0 for what is none.", r#"{{ float64 "0.75" }}"#, "0.75"),
        |_, args| Ok(Value::Float(to_float(args.value(0)))),
    ),
    Function::new(
        "toDecimal",
        &[Any],
        Int64,
        doc("The number that octal digits stand for, else 0.", r#"{{ toDecimal "0640" }}"#, "416"),
        |context, args| {
            let text = super::parts::to_text(context, args.value(0))?;
            Ok(Value::int64(parse_int(&text, 8).unwrap_or(0)))
        },
    ),
    Function::variadic(
        "add",
        &[],
        Any,
        Int64,
        doc(
            "The sum. Whole numbers as `int` reads them, here and below; what leaves 64 bits wraps.",
            "{{ add .port 1 }}",
            "5433",
        ),
        |_, args| Ok(fold(args.all(), 0, i64::wrapping_add)),
    ),
    Function::new("add1", &[Any], Int64, doc("One more.", "{{ add1 .port }}", "5433"), |_, args| {
        Ok(Value::int64(to_int(args.value(0)).wrapping_add(1)))
    }),
    Function::new(
        "sub",
        &[Any, Any],
        Int64,
        doc("The second argument taken from the first.", "{{ sub .port 32 }}", "5400"),
        |_, args| Ok(Value::int64(to_int(args.value(0)).wrapping_sub(to_int(args.value(1))))),
    ),
    Function::variadic("mul", &[Any], Any, Int64, doc("The product.", "{{ mul 24 60 60 }}", "86400"), |_, args| {
        Ok(fold(args.rest(1), to_int(args.value(0)), i64::wrapping_mul))
    }),
    Function::new(
        "div",
        &[Any, Any],
        Int64,
        doc("The first argument divided by the second, cut. Fails for 0.", "{{ div 3600 60 }}", "60"),
        |_, args| divide(args, i64::wrapping_div),
    ),
    Function::new(
        "mod",
        &[Any, Any],
        Int64,
        doc("What dividing the first argument by the second leaves. Fails for 0.", "{{ mod .port 1000 }}", "432"),
        |_, args| divide(args, i64::wrapping_rem),
    ),
    Function::variadic(
        "max",
        &[Any],
        Any,
        Int64,
        doc("The greatest argument.", "{{ max 1024 .port }}", "5432"),
        |_, args| Ok(fold(args.rest(1), to_int(args.value(0)), i64::max)),
    ),
    Function::variadic("biggest", &[Any], Any, Int64, doc("Same as `max`.", "{{ biggest 1 2 }}", "2"), |_, args| {
        Ok(fold(args.rest(1), to_int(args.value(0)), i64::max))
    }),
    Function::variadic(
        "min",
        &[Any],
        Any,
        Int64,
        doc("The least argument.", "{{ min 1024 .port }}", "1024"),
        |_, args| Ok(fold(args.rest(1), to_int(args.value(0)), i64::min)),
    ),
    Function::variadic(
        "maxf",
        &[Any],
        Any,
        Float,
        doc("The greatest argument, as a fraction.", "{{ maxf 0.5 0.75 }}", "0.75"),
        |_, args| Ok(Value::Float(args.all().iter().map(to_float).fold(f64::NEG_INFINITY, greater))),
    ),
    Function::variadic(
        "minf",
        &[Any],
        Any,
        Float,
        doc("The least argument, as a fraction.", "{{ minf 0.5 0.75 }}", "0.5"),
        |_, args| {
            Ok(Value::Float(
                args.all().iter().map(to_float).fold(f64::INFINITY, |least, value| -greater(-least, -value)),
            ))
        },
    ),
    Function::variadic(
        "addf",
        &[],
        Any,
        Float,
        doc("The sum, in decimal digits: 0.1 and 0.2 make 0.3.", "{{ addf 0.1 0.2 }}", "0.3"),
        |context, args| {
            let numbers: Vec<Value> = std::iter::once(Value::int(0)).chain(args.all().iter().cloned()).collect();
            decimals(context, &numbers, Decimal::cost_of_sum, |sum, next| Ok(sum.plus(next)))
        },
    ),
    Function::new(
        "add1f",
        &[Any],
        Float,
        doc("One more, in decimal digits.", "{{ add1f 0.5 }}", "1.5"),
        |context, args| {
            decimals(context, &[args.value(0).clone(), Value::int(1)], Decimal::cost_of_sum, |sum, next| {
                Ok(sum.plus(next))
            })
        },
    ),
    Function::variadic(
        "subf",
        &[Any],
        Any,
        Float,
        doc("The further arguments taken from the first, in decimal digits.", "{{ subf 1 0.9 }}", "0.1"),
        |context, args| decimals(context, args.all(), Decimal::cost_of_sum, |rest, next| Ok(rest.minus(next))),
    ),
    Function::variadic(
        "mulf",
        &[Any],
        Any,
        Float,
        doc("The product, in decimal digits.", "{{ mulf 1.1 3 }}", "3.3"),
        |context, args| decimals(context, args.all(), Decimal::cost_of_product, Decimal::times),
    ),
    Function::variadic(
        "divf",
        &[Any],
        Any,
        Float,
        doc(
            "The first argument divided by the others, in decimal digits, to 16 places. Fails for 0.",
            "{{ divf 1 3 }}",
            "0.3333333333333333",
        ),
        |context, args| decimals(context, args.all(), Decimal::cost_of_quotient, Decimal::divided_by),
    ),
    Function::new(
        "floor",
        &[Any],
        Float,
        doc("The whole number below, as a fraction.", "{{ floor 2.7 }}", "2"),
        |_, args| Ok(Value::Float(to_float(args.value(0)).floor())),
    ),
    Function::new(
        "ceil",
        &[Any],
        Float,
        doc("The whole number above, as a fraction.", "{{ ceil 2.1 }}", "3"),
        |_, args| Ok(Value::Float(to_float(args.value(0)).ceil())),
    ),
    Function::variadic(
        "round",
        &[Any, Int],
        Float,
        Float,
        doc(
            "Rounded to so many decimal places: number, places. A third argument says from which part on it goes \
             up, 0.5 unless given.",
            "{{ round 2.345 1 }}",
            "2.3",
        ),
        |_, args| Ok(round(args)),
    ),
    Function::variadic(
        "seq",
        &[],
        Int,
        Str,
        doc(
            "Whole numbers with spaces between, the end included: end; start, end; or start, step, end.",
            "{{ seq 1 2 7 }}",
            "1 3 5 7",
        ),
        seq,
    ),
    Function::new(
        "until",
        &[Int],
        Ints,
        doc(
            "The list of whole numbers from 0 to before the argument.",
            "{{ range until 3 }}db-{{ . }}.{{ $.host }} {{ end }}",
            "db-0.db.example.com db-1.db.example.com db-2.db.example.com ",
        ),
        |context, args| {
            let end = args.int(0);
            steps(context, 0, end, if end < 0 { -1 } else { 1 }).map(list)
        },
    ),
    Function::new(
        "untilStep",
        &[Int, Int, Int],
        Ints,
        doc(
            "The list of whole numbers from start to before end: start, end, step.",
            r#"{{ untilStep 10 40 10 | join "," }}"#,
            "10,20,30",
        ),
        |context, args| steps(context, args.int(0), args.int(1), args.int(2)).map(list),
    ),
];

fn fold(values: &[Value], start: i64, combine: fn(i64, i64) -> i64) -> Value {
    Value::int64(values.iter().map(to_int).fold(start, combine))
}

fn divide(args: &Args, operation: fn(i64, i64) -> i64) -> Result<Value, Message> {
    match to_int(args.value(1)) {
        0 => Err("runtime error: integer divide by zero".into()),
        divisor => Ok(Value::int64(operation(to_int(args.value(0)), divisor))),
    }
}

/// Combines decimals from the left, at that cost in steps; the result is the nearest float.
fn decimals(
    context: &Context,
    values: &[Value],
    cost: impl Fn(&Decimal, &Decimal) -> usize,
    combine: impl Fn(&Decimal, &Decimal) -> Result<Decimal, Message>,
) -> Result<Value, Message> {
    let mut numbers = values.iter().map(|value| Decimal::from_float(to_float(value)));
    context.spend(STEPS_PER_DECIMAL)?;
    let mut result = numbers.next().unwrap_or_else(|| Decimal::from_float(0.0))?;
    for number in numbers {
        let number = number?;
        context.spend(STEPS_PER_DECIMAL + cost(&result, &number))?;
        result = combine(&result, &number)?;
    }
    let text = result.to_string();
    context.spend(text.len() / DIGITS_PER_STEP)?;
    let infinite = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
    Ok(Value::Float(parse_float(text.as_bytes()).unwrap_or(infinite)))
}

/// Go's maximum: what is no number wins, except over infinity.
fn greater(left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        let infinite = left == f64::INFINITY || right == f64::INFINITY;
        return if infinite { f64::INFINITY } else { f64::NAN };
    }
    match left.total_cmp(&right) {
        std::cmp::Ordering::Less => right,
        _ => left,
    }
}

fn round(args: &Args) -> Value {
    let value = to_float(args.value(0));
    let threshold = match args.all().get(2) {
        Some(Value::Float(threshold)) => *threshold,
        _ => 0.5,
    };
    let places = i32::try_from(args.int(1)).unwrap_or(i32::MAX);
    let scale = 10f64.powi(places);
    let scaled = scale * value;
    let fraction = scaled % 1.0;
    // The fraction has the sign of the number, so that negative numbers are rounded down, as in Go.
    let up = if fraction >= threshold { scaled.ceil() } else { scaled.floor() };
    Value::Float(up / scale)
}

fn seq(context: &mut Context, args: &Args) -> Result<Value, Message> {
    let increment = |from: i64, to: i64| if to < from { -1 } else { 1 };
    // The end is part of the sequence, so the bound is one step further.
    let numbers = match args.all().len() {
        1 => {
            let end = args.int(0);
            let step = increment(1, end);
            steps(context, 1, end.saturating_add(step), step)?
        }
        2 => {
            let (start, end) = (args.int(0), args.int(1));
            let step = increment(start, end);
            steps(context, start, end.saturating_add(step), step)?
        }
        3 => {
            let (start, step, end) = (args.int(0), args.int(1), args.int(2));
            let direction = increment(start, end);
            if direction.signum() == step.signum() {
                steps(context, start, end.saturating_add(direction), step)?
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    };
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(Value::text(&texts.join(" ")))
}

/// The numbers from `start` to before `end`.
fn steps(context: &Context, start: i64, end: i64, step: i64) -> Result<Vec<i64>, Message> {
    let distance = i128::from(end) - i128::from(start);
    let step = i128::from(step);
    if step == 0 || distance.signum() != step.signum() {
        return Ok(Vec::new());
    }
    let count = usize::try_from((distance.abs() + step.abs() - 1) / step.abs()).unwrap_or(usize::MAX);
    context.check_elements(count)?;
    context.spend(count)?;
    let numbers = (0i128..).take(count).map(|index| i128::from(start) + index * step);
    Ok(numbers.filter_map(|number| i64::try_from(number).ok()).collect())
}

fn list(numbers: Vec<i64>) -> Value {
    Value::List(List::of_ints(numbers))
}
