//! Refused by step 3 (memory). Replaces src/memory.rs.
//! A thread that was given a copy by `move`. Here the compiler made the copy, of one variable; a fork copies them
//! all.

use std::thread;

use crate::{Error, Result, say};

pub fn run() -> Result {
    let mut a = 1;
    let child = thread::spawn(move || {
        a *= 10_000;
        say(format_args!("child: a = {a}"))
    });
    child.join().unwrap_or(Err(Error::Child))?;
    say(format_args!("parent: a = {a}"))
}
