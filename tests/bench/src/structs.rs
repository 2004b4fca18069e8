//! What a record costs in lab 5: the reference's `pack` and `unpack` against Python's precompiled `Struct`, for a million
//! records of `i5sf`; `just bench struct` calls this program. It fails when the reference takes more than 0.7 of Python's
//! time. A `#[repr(C)]` struct stands beside them: it shows what the language of formats costs.
//!
//! The functions of the solution are measured, not the start of a process. Both sides take turns, and the best of
//! several rounds counts for each: what else the machine does makes rounds longer and never shorter.

#![allow(dead_code, reason = "the solution has more than what is measured")]

#[path = "../../../solutions/05-struct/src/format.rs"]
mod format;
#[path = "../../../solutions/05-struct/src/order.rs"]
mod order;
#[path = "../../../solutions/05-struct/src/pack.rs"]
mod pack;
#[path = "../../../solutions/05-struct/src/refuse.rs"]
mod refuse;
#[path = "../../../solutions/05-struct/src/unpack.rs"]
mod unpack;
#[path = "../../../solutions/05-struct/src/value.rs"]
mod value;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use format::Format;
use value::Value;

const RECORDS: usize = 1_000_000;
const SIZE: usize = 16;
const ROUNDS: usize = 9;
/// The most that the reference may take, where Python takes 1.
const SHARE: f64 = 0.7;

/// The same in Python: nanoseconds a record to pack, and to unpack.
const PYTHON: &str = r#"
import struct, sys, time
n = int(sys.argv[1])
s = struct.Struct("i5sf")
data = bytearray(n * s.size)
def pack():
    pack_into, size = s.pack_into, s.size
    for i in range(n):
        pack_into(data, i * size, i, b"zhang", 1.75)
def unpack():
    for values in s.iter_unpack(data):
        pass
for job in pack, unpack:
    begun = time.perf_counter_ns()
    job()
    print((time.perf_counter_ns() - begun) / n)
"#;

/// Nanoseconds a record: to pack, and to unpack.
type Costs = [f64; 2];

/// `i5sf` as the compiler lays it out, its gap by name: zerocopy hands out no byte that is nobody's.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Clone, Copy)]
#[repr(C)]
struct Record {
    number: i32,
    name: [u8; 5],
    gap: [u8; 3],
    share: f32,
}

fn main() -> ExitCode {
    match measure() {
        Ok([ours, python, copy]) => show(ours, python, copy),
        Err(why) => {
            eprintln!("structs: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The best round of each: the reference, Python, the copy.
fn measure() -> Result<[Costs; 3], String> {
    let mut best = [[f64::INFINITY; 2]; 3];
    for _ in 0..ROUNDS {
        let round = [reference()?, python()?, copy()?];
        for (best, costs) in best.iter_mut().flatten().zip(round.iter().flatten()) {
            *best = best.min(*costs);
        }
    }
    Ok(best)
}

fn show(ours: Costs, python: Costs, copy: Costs) -> ExitCode {
    println!("i5sf, {RECORDS} records, the best of {ROUNDS} rounds: nanoseconds a record\n");
    println!("           reference    Python    of it    a #[repr(C)] copy");
    let mut good = true;
    for (i, name) in ["pack", "unpack"].into_iter().enumerate() {
        let share = ours[i] / python[i];
        good &= share <= SHARE;
        println!(
            "  {name:6}  {:10.1}{:10.1}{share:9.2}{:21.1}",
            ours[i], python[i], copy[i]
        );
    }
    if good {
        return ExitCode::SUCCESS;
    }
    println!("\nmore than {SHARE} of Python's time");
    ExitCode::FAILURE
}

fn reference() -> Result<Costs, String> {
    let format = Format::parse(b"i5sf").map_err(|bad| bad.in_a_line())?;
    let mut records = vec![0; RECORDS * SIZE];
    let packed = nanoseconds(|| {
        for (number, record) in (0i128..).zip(records.chunks_exact_mut(SIZE)) {
            let values = [
                Value::Integer(number),
                Value::Bytes(b"zhang"),
                Value::Single(1.75),
            ];
            pack::pack(&format, black_box(&values), record).map_err(|bad| bad.in_a_line())?;
        }
        Ok::<_, String>(())
    });
    let unpacked = nanoseconds(|| {
        for record in records.chunks_exact(SIZE) {
            unpack::unpack(&format, black_box(record)).for_each(|value| {
                black_box(value);
            });
        }
        Ok(())
    });
    Ok([packed?, unpacked?])
}

fn copy() -> Result<Costs, String> {
    let mut records = vec![0; RECORDS * SIZE];
    let packed = nanoseconds(|| {
        for (number, bytes) in (0..).zip(records.chunks_exact_mut(SIZE)) {
            let record = Record {
                number,
                name: *b"zhang",
                gap: [0; 3],
                share: 1.75,
            };
            black_box(&record)
                .write_to(bytes)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    let unpacked = nanoseconds(|| {
        for bytes in records.chunks_exact(SIZE) {
            black_box(Record::read_from_bytes(black_box(bytes)).map_err(|error| error.to_string())?);
        }
        Ok(())
    });
    Ok([packed?, unpacked?])
}

fn python() -> Result<Costs, String> {
    let mut command = Command::new("python3");
    let output = command.args(["-c", PYTHON, &RECORDS.to_string()]).output();
    let output = output.map_err(|error| format!("python3: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let costs: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    costs
        .try_into()
        .map_err(|_| format!("python3: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What a record took.
fn nanoseconds(job: impl FnOnce() -> Result<(), String>) -> Result<f64, String> {
    let begun = Instant::now();
    job()?;
    Ok(begun.elapsed().as_nanos() as f64 / RECORDS as f64)
}
