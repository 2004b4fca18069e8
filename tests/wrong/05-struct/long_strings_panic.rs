//! Refused by step 2 (pack). Replaces src/pack.rs.
//! `copy_from_slice` wants both sides equally long, and a value is as long as somebody likes.

use crate::format::{Format, Kind};
use crate::order::Order;
use crate::refuse::Bad;
use crate::value::Value;

/// Puts the values into a record, which has as many bytes as the format says.
pub fn pack(format: &Format, values: &[Value], record: &mut [u8]) -> Result<(), Bad> {
    // What lies between the fields is sent, too: it must not be what was in this memory before.
    record.fill(0);
    for ((kind, place), value) in format.places().zip(values) {
        put(kind, value, &mut record[place], format.order)?;
    }
    Ok(())
}

/// Puts a value into its place.
fn put(kind: Kind, value: &Value, place: &mut [u8], order: Order) -> Result<(), Bad> {
    match *value {
        Value::Integer(n) => {
            let bytes = fitting(n, kind, place.len())?;
            place.copy_from_slice(&bytes[..place.len()]);
            order.arrange(place);
        }
        Value::Single(x) => {
            place.copy_from_slice(&x.to_le_bytes());
            order.arrange(place);
        }
        Value::Double(x) => {
            place.copy_from_slice(&x.to_le_bytes());
            order.arrange(place);
        }
        Value::Bool(b) => place[0] = b.into(),
        Value::Bytes(bytes) => {
            let len = bytes.len();
            place[..len].copy_from_slice(&bytes[..len]);
        }
    }
    Ok(())
}

/// The bytes of a number, the least significant first, if it fits into `size` of them. (`as` would cut it.)
fn fitting(n: i128, kind: Kind, size: usize) -> Result<[u8; 16], Bad> {
    let bits = 8 * size;
    let range = match kind {
        Kind::Signed => -(1 << (bits - 1))..1 << (bits - 1),
        _ => 0..1 << bits,
    };
    match range.contains(&n) {
        true => Ok(n.to_le_bytes()),
        false => Err(Bad::Range(n.to_string().into(), size)),
    }
}
