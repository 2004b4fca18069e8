//! Refused by step 3 (memory). Replaces src/memory.rs.
//! One process with two variables. The output is right to the letter, and says nothing about processes.

use crate::{Result, say};

pub fn run() -> Result {
    let a = 1;
    let copy = a * 10_000;
    say(format_args!("child: a = {copy}"))?;
    say(format_args!("parent: a = {a}"))
}
