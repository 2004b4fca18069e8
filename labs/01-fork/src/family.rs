//! Step 6: many children of one parent.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::{ForkResult, fork, getpid};

use crate::{Named, Result, leave, reap_all, say};

pub fn run(n: u8) -> Result {
    // TODO 6: fork `n` children. Child number `i`, from 1 to `n`, goes to `child(i)`; only the parent goes on.
    // Output of `family 2`: `child 1: pid 42` and `child 2: pid 43` in any order, then `parent: 2 children`.
    todo!("step 6: fork n children, all of one parent");
    reap_all()?; // Lab 2 explains this line.
    say(format_args!("parent: {n} children"))
}

/// What only child number `i` does.
fn child(i: u8) -> ! {
    leave(say(format_args!("child {i}: pid {}", getpid())))
}
