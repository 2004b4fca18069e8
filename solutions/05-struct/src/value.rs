//! Values: read from arguments, and printed. This file is complete.

use std::fmt::{self, Display};
use std::num::IntErrorKind;
use std::str;

use crate::format::{Format, Kind};
use crate::refuse::Bad;

/// A value of a field.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// `b B h H i I l L q Q`: wide enough for each of them.
    Integer(i128),
    /// `?`
    Bool(bool),
    /// `f`
    Single(f32),
    /// `d`
    Double(f64),
    /// `c s`
    Bytes(&'a [u8]),
}

/// The values that the arguments stand for: as many as the format asks for.
pub fn parse_all<'a>(format: &Format, texts: &[&'a [u8]]) -> Result<Vec<Value<'a>>, Bad> {
    // Counted first: a format can ask for more values than there is memory for.
    if format.values() != texts.len() {
        return Err(Bad::Values {
            wanted: format.values(),
            got: texts.len(),
        });
    }
    let places = format.places().zip(texts);
    places
        .map(|((kind, place), text)| parse(kind, place.len(), text, format.native))
        .collect()
}

/// The value that an argument stands for, in a field of that kind and size.
fn parse<'a>(kind: Kind, size: usize, text: &'a [u8], native: bool) -> Result<Value<'a>, Bad> {
    let wrong = || Bad::Value {
        kind,
        text: text.to_owned(),
    };
    // Only what bytes are for need not be text.
    let number = || str::from_utf8(text).map_err(|_| wrong());
    match kind {
        Kind::Bytes => Ok(Value::Bytes(text)),
        Kind::Char if text.len() == 1 => Ok(Value::Bytes(text)),
        Kind::Bool if text == b"true" => Ok(Value::Bool(true)),
        Kind::Bool if text == b"false" => Ok(Value::Bool(false)),
        Kind::Signed | Kind::Unsigned => match number()?.parse() {
            Ok(n) => Ok(Value::Integer(n)),
            Err(error) => Err(match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Bad::Range(text.to_owned(), size),
                _ => wrong(),
            }),
        },
        Kind::Float => {
            let n: f64 = number()?.parse().map_err(|_| wrong())?;
            match size {
                4 => single(n, native).ok_or_else(|| Bad::Range(text.to_owned(), size)),
                _ => Ok(Value::Double(n)),
            }
        }
        Kind::Nothing | Kind::Char | Kind::Bool => Err(wrong()),
    }
}

/// A number in 4 bytes, by way of 8, as in Python: it is rounded twice. One that is too large is infinity to C, whose
/// rules the native ones are, and refused by the others.
fn single(n: f64, native: bool) -> Option<Value<'static>> {
    let narrow = n as f32;
    (native || narrow.is_finite() || !n.is_finite()).then_some(Value::Single(narrow))
}

impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Value::Integer(n) => write!(f, "{n}"),
            Value::Bool(b) => write!(f, "{b}"),
            // `{:?}` gives the fewest digits that stand for this number and no other, and always a point or an exponent.
            Value::Single(x) => write!(f, "{x:?}"),
            Value::Double(x) => write!(f, "{x:?}"),
            Value::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
        }
    }
}

/// The values as they are printed: `(1, "zhang", 1.75)`.
pub fn tuple<'a>(values: impl Iterator<Item = Value<'a>>) -> String {
    let values: Vec<String> = values.map(|value| value.to_string()).collect();
    format!("({})", values.join(", "))
}
