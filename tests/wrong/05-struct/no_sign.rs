//! Refused by step 3 (unpack). Replaces src/unpack.rs.
//! The bytes are filled up with zeros, and a negative number becomes a large one.

use crate::format::{Format, Kind};
use crate::order::Order;
use crate::value::Value;

/// The values of a record, which has as many bytes as the format says. Each is made when it is asked for.
pub fn unpack<'a>(format: &'a Format, record: &'a [u8]) -> impl Iterator<Item = Value<'a>> {
    let places = format.places();
    places.map(|(kind, place)| get(kind, &record[place], format.order))
}

/// The value in its place.
fn get(kind: Kind, place: &[u8], order: Order) -> Value<'_> {
    match (kind, place.len()) {
        (Kind::Bool, _) => Value::Bool(place != [0]),
        (Kind::Signed, size) => {
            // The sign is the topmost bit of the field: moved to the top of 64 bits and back, it fills all above it.
            let unused = 64 - 8 * size;
            Value::Integer(((u64::from_le_bytes(bytes(place, order)) << unused) >> unused).into())
        }
        (Kind::Unsigned, _) => Value::Integer(u64::from_le_bytes(bytes(place, order)).into()),
        (Kind::Float, 4) => Value::Single(f32::from_le_bytes(bytes(place, order))),
        (Kind::Float, _) => Value::Double(f64::from_le_bytes(bytes(place, order))),
        (Kind::Nothing | Kind::Char | Kind::Bytes, _) => Value::Bytes(place),
    }
}

/// The bytes of a number, the least significant first, with zeros after them.
fn bytes<const N: usize>(place: &[u8], order: Order) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..place.len()].copy_from_slice(place);
    order.arrange(&mut bytes[..place.len()]);
    bytes
}
