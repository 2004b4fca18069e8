//! Refused by step 6 (refuse). Replaces src/refuse.rs.
//! The message quotes what was given, newlines and escape sequences and all.

use crate::format::Kind;

/// The most bytes of somebody else's that are shown in a line.
const SHOWN: usize = 40;

/// What is wrong with the input.
#[derive(Debug)]
pub enum Bad {
    /// A format has a byte where a code should be.
    UnknownCode(u8),
    /// A format ends after a count.
    CountWithoutCode,
    /// A count, or the size of the record, is a number too large for any memory.
    Overflow,
    /// A record would have so many bytes: more than may be made.
    TooLarge(usize),
    /// A record would have no bytes, so that nobody could tell how many of them were sent.
    NoBytes,
    /// There are more or fewer values than the format has fields for.
    Values { wanted: usize, got: usize },
    /// This does not stand for a value of that kind.
    Value { kind: Kind, text: Vec<u8> },
    /// This number does not fit into so many bytes.
    Range(Vec<u8>, usize),
    /// This is no hex digit.
    Digit(u8),
    /// So many hex digits: an odd number.
    HalfByte(usize),
    /// A record has another length than the format says.
    Length { wanted: usize, got: usize },
}

impl Bad {
    /// Names it, in one line whatever it is made of.
    pub fn in_a_line(&self) -> String {
        match self {
            Bad::UnknownCode(code) => format!("{} is no code of a format", shown(&[*code])),
            Bad::CountWithoutCode => "the format ends after a count: which code is it for?".to_owned(),
            Bad::Overflow => "the format overflows: no record is as large as that".to_owned(),
            Bad::TooLarge(size) => format!("a record of {size} bytes is over 1 MiB"),
            Bad::NoBytes => "a record of 0 bytes cannot be told from none".to_owned(),
            Bad::Values { wanted, got } => {
                format!("the format has fields for {wanted} values, and {got} were given")
            }
            Bad::Value { kind, text } => format!("{} is no {}", shown(text), name(*kind)),
            Bad::Range(text, size) => format!("{} does not fit into a field of {size} bytes", shown(text)),
            Bad::Digit(digit) => format!("{} is no hex digit", shown(&[*digit])),
            Bad::HalfByte(digits) => format!("{digits} hex digits are no whole number of bytes"),
            Bad::Length { wanted, got } => {
                format!("the format asks for {wanted} bytes, and {got} were given")
            }
        }
    }
}

/// What a value of that kind is called.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Nothing => "value",
        Kind::Char => "single byte",
        Kind::Bool => "true or false",
        Kind::Signed | Kind::Unsigned => "integer",
        Kind::Float => "number",
        Kind::Bytes => "bytes",
    }
}

/// Somebody else's bytes, for a line of ours: quoted, so that they cannot end the line or steer the terminal, and cut.
pub fn shown(bytes: &[u8]) -> String {
    format!("{}", String::from_utf8_lossy(bytes))
}
