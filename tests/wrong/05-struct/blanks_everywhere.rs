//! Refused by step 6 (refuse). Replaces src/format.rs.
//! Blanks are ignored between a count and its code and before the prefix, too. Python refuses them there.

use std::ffi::{c_int, c_long, c_longlong, c_short};
use std::ops::Range;

use crate::order::{Order, split};
use crate::refuse::Bad;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `x`: nothing.
    Nothing,
    /// `c`: one byte.
    Char,
    /// `?`: true or false.
    Bool,
    /// `b h i l q`: a number that may be negative.
    Signed,
    /// `B H I L Q`: a number that may not.
    Unsigned,
    /// `f d`: a number with a fraction.
    Float,
    /// `s`: bytes, as many as the count says.
    Bytes,
}

/// A field, or several in a row: `3h` is one of these, however large the count.
pub struct Fields {
    pub kind: Kind,
    /// How many values there are.
    pub count: usize,
    /// How many bytes each of them has.
    pub size: usize,
    /// Where the first one lies.
    pub offset: usize,
}

/// A format that has been read.
pub struct Format {
    pub fields: Vec<Fields>,
    /// How many bytes a record has.
    pub size: usize,
    pub order: Order,
    /// Sizes and alignment are those of this machine.
    pub native: bool,
}

impl Format {
    /// Reads a format.
    pub fn parse(text: &[u8]) -> Result<Format, Bad> {
        let text = text.trim_ascii_start();
        let (rules, mut rest) = split(text);
        let mut format = Format {
            fields: Vec::new(),
            size: 0,
            order: rules.order,
            native: rules.native,
        };
        while let Some((first, after)) = rest.split_first() {
            if is_blank(*first) {
                rest = after;
                continue;
            }
            let (count, after) = count(rest)?;
            let after = after.trim_ascii_start();
            let (&code, after) = after.split_first().ok_or(Bad::CountWithoutCode)?;
            let (kind, size, align) = meaning(code, format.native).ok_or(Bad::UnknownCode(code))?;
            format.add(kind, count, size, align)?;
            rest = after;
        }
        Ok(format)
    }

    /// Adds fields of one code.
    fn add(&mut self, kind: Kind, count: usize, size: usize, align: usize) -> Result<(), Bad> {
        let (offset, end) = room(self.size, count, size, align).ok_or(Bad::Overflow)?;
        let len = end - offset;
        self.size = end;
        self.fields.push(match kind {
            Kind::Nothing => Fields {
                kind,
                count: 0,
                size,
                offset,
            },
            Kind::Bytes => Fields {
                kind,
                count: 1,
                size: len,
                offset,
            },
            _ => Fields {
                kind,
                count,
                size,
                offset,
            },
        });
        Ok(())
    }

    /// How many values a record has.
    pub fn values(&self) -> usize {
        self.fields
            .iter()
            .fold(0, |sum, fields| sum.saturating_add(fields.count))
    }

    /// Each value's kind, and the place of its bytes.
    pub fn places(&self) -> impl Iterator<Item = (Kind, Range<usize>)> {
        self.fields.iter().flat_map(|fields| {
            let place = |i| fields.offset + i * fields.size..fields.offset + (i + 1) * fields.size;
            (0..fields.count).map(move |i| (fields.kind, place(i)))
        })
    }
}

/// Where `count` fields of that size begin, each at a multiple of `align`, and where they end, behind a record of `taken`
/// bytes. None: no record is as large as that.
fn room(taken: usize, count: usize, size: usize, align: usize) -> Option<(usize, usize)> {
    let offset = taken.checked_next_multiple_of(align)?;
    let end = size.checked_mul(count)?.checked_add(offset)?;
    // No object in memory is larger (and Python's sizes are signed, too).
    isize::try_from(end).ok()?;
    Some((offset, end))
}

/// What C's `isspace` says; `u8::is_ascii_whitespace` leaves the vertical tab out.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}

/// The count in front of a code, and the rest. Without digits it is 1.
fn count(text: &[u8]) -> Result<(usize, &[u8]), Bad> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(len);
    let add = |n: usize, digit: &u8| n.checked_mul(10)?.checked_add(usize::from(digit - b'0'));
    match digits {
        [] => Ok((1, rest)),
        _ => Ok((digits.iter().try_fold(0, add).ok_or(Bad::Overflow)?, rest)),
    }
}

/// What a code stands for: kind, size, alignment.
fn meaning(code: u8, native: bool) -> Option<(Kind, usize, usize)> {
    let (kind, standard, (size, align)) = match code {
        b'x' => (Kind::Nothing, 1, layout::<u8>()),
        b'c' => (Kind::Char, 1, layout::<u8>()),
        b's' => (Kind::Bytes, 1, layout::<u8>()),
        b'?' => (Kind::Bool, 1, layout::<bool>()),
        b'b' => (Kind::Signed, 1, layout::<i8>()),
        b'B' => (Kind::Unsigned, 1, layout::<u8>()),
        b'h' => (Kind::Signed, 2, layout::<c_short>()),
        b'H' => (Kind::Unsigned, 2, layout::<c_short>()),
        b'i' => (Kind::Signed, 4, layout::<c_int>()),
        b'I' => (Kind::Unsigned, 4, layout::<c_int>()),
        b'l' => (Kind::Signed, 4, layout::<c_long>()),
        b'L' => (Kind::Unsigned, 4, layout::<c_long>()),
        b'q' => (Kind::Signed, 8, layout::<c_longlong>()),
        b'Q' => (Kind::Unsigned, 8, layout::<c_longlong>()),
        b'f' => (Kind::Float, 4, layout::<f32>()),
        b'd' => (Kind::Float, 8, layout::<f64>()),
        _ => return None,
    };
    Some(if native {
        (kind, size, align)
    } else {
        (kind, standard, 1)
    })
}

/// Size and alignment of a type of C.
fn layout<T>() -> (usize, usize) {
    (size_of::<T>(), align_of::<T>())
}
