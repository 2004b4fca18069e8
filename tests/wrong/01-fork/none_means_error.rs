//! Refused by step 6 (family). Replaces src/family.rs.
//! Waits at least once, as a `do … while` does. A parent of no children has nobody to wait for, and wait(2) says so
//! with `ECHILD`; here that comes out as an error.

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, say, wait};

pub fn run(n: u8) -> Result {
    for i in 1..=n {
        // SAFETY: this program has one thread.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            child(i);
        }
    }
    let mut left = n;
    loop {
        wait()?;
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
    }
    say(format_args!("parent: {n} children"))
}

fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
