//! Step 2, pack: values become bytes.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
    // TODO 2: write the value's bytes into `place`, which is as long as its field and all zeros.
    //   a number: its bytes, the least significant first (`to_le_bytes`), and then `order.arrange(place)` turns them if need
    //     be. Of an integer there are more than there is place for: `fitting` gives them, or refuses the number
    //   true is 1, and false 0
    //   bytes: from the front of the field; those that do not fit are left out
    //   -> pack i5sf 1 zhang 1.75: 010000007a68616e670000000000e03f
    todo!("step 2: put the value into its place")
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
