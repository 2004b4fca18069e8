//! Refused by step 2 (pids). Replaces src/pids.rs.
//! A thread that prints its thread id: the kernel numbers threads and processes alike, so the number looks right, and
//! no process has it.

use std::thread;

use nix::unistd::{getpid, gettid};

use crate::{Error, Result, say};

pub fn run() -> Result {
    let child = thread::spawn(|| {
        let tid = gettid();
        (tid, say(format_args!("child: pid {tid}, parent {}", getpid())))
    });
    let (tid, said) = child.join().map_err(|_| Error::Child)?;
    said?;
    say(format_args!("parent: pid {}, child {tid}", getpid()))
}
