//! Step 6, refuse: what can be wrong with the input, and how that is told.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
        // TODO 6: name each of them, so that whoever gave the input finds the place.
        //   what it quotes is somebody else's and may hold anything: a newline, an escape sequence, 131,071 bytes, bytes
        //     that are no text. `shown` makes it fit for a line.
        //   then try each of them, in every step: does it get here, or does it pass, wrap, or panic?
        //   -> pack b 128: struct: "128" does not fit into a field of 1 bytes
        todo!("step 6: say in one line what is wrong")
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
    match bytes.get(..SHOWN) {
        Some(start) if bytes.len() > SHOWN => {
            format!("\"{}\"… ({} bytes)", start.escape_ascii(), bytes.len())
        }
        _ => format!("\"{}\"", bytes.escape_ascii()),
    }
}
