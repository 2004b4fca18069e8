//! Step 3, unpack: bytes become values.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
    // TODO 3: read the value out of `place`, which is as long as its field.
    //   `bytes(place, order)` gives the array that `from_le_bytes` wants: `u64::from_le_bytes(bytes(place, order))`
    //   a `Signed` number of fewer than 8 bytes is negative if its topmost bit is set: 0xff in one byte is -1
    //   any byte but 0 is true
    //   -> unpack i5sf 010000007a68616e670000000000e03f: (1, "zhang", 1.75)      unpack bB ffff: (-1, 255)
    todo!("step 3: get the value out of its place")
}

/// The bytes of a number, the least significant first, with zeros after them.
fn bytes<const N: usize>(place: &[u8], order: Order) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[..place.len()].copy_from_slice(place);
    order.arrange(&mut bytes[..place.len()]);
    bytes
}
