//! Refused by step 6 (refuse). Replaces src/hex.rs.
//! `from_str_radix` takes a sign: "+1" is a byte to it.

use crate::refuse::Bad;

/// In lower case.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// In either case. (`u8::from_str_radix` would take a sign, too.)
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Bad> {
    if !text.len().is_multiple_of(2) {
        return Err(Bad::HalfByte(text.len()));
    }
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).map_err(|_| Bad::Digit(pair[0]))?;
        u8::from_str_radix(text, 16).map_err(|_| Bad::Digit(pair[0]))
    };
    text.chunks(2).map(byte).collect()
}
