//! Refused by step 1 (twice). Replaces src/twice.rs.
//! A thread in place of a process. It too "runs beside" its creator, and the output is right; but nothing was copied.

use std::thread;

use crate::{Error, Result, say};

pub fn run() -> Result {
    say("before")?;
    let child = thread::spawn(|| say("child: after"));
    say("parent: after")?;
    child.join().unwrap_or(Err(Error::Child))
}
