//! Step 3: whose variable is it?

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let mut a = 1;
    // TODO 3: fork. The child goes to `child` with `a`; the parent calls `wait()?`, which returns when the child has
    // ended (lab 2 explains it), and only then says what `a` is.
    // Output: `child: a = 10000`, then `parent: a = ` and the number.
    todo!("step 3: fork, change the variable in the child, print it in both")
}

/// Changes the variable through a reference: the same address as in the parent, but not the same memory.
fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
