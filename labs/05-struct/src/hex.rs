//! Bytes as hex, two digits each. This file is complete.

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
    let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(Bad::Digit(*byte));
    let digits = text.iter().map(digit).collect::<Result<Vec<u32>, Bad>>()?;
    let (pairs, []) = digits.as_chunks() else {
        return Err(Bad::HalfByte(digits.len()));
    };
    Ok(pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}
