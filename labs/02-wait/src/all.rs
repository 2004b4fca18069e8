//! Step 6: reap until the kernel says that there is no child left.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::errno::Errno;

use crate::one::wait_for;
use crate::spawn::spawn;
use crate::{Named, Result, say};

/// Forks `count` children that exit at once, with the codes 1 to `count`, and reaps all there are.
pub fn run(count: u8) -> Result {
    for code in 1..=count {
        spawn(|| i32::from(code))?;
    }
    say(format_args!("reaped {}", reap()?))
}

/// Waits for one child after the other until none is left, and returns how many there were.
fn reap() -> Result<usize> {
    // TODO 6: wait for any child, again and again, and count. When there is none left to wait for, `wait_for`
    // fails with `Errno::ECHILD`: that is the answer, not an error. Any other error is one.
    // Output of `all 5`: `reaped 5`.
    todo!("step 6: reap until there is no child left")
}
