//! Refused by step 2 (order). Replaces src/order.rs.
//! Child 1 exits with 1, child 2 with 2: so the number is printed twice, and the wait is told that the status
//! is not wanted.

use std::ptr::null_mut;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_birth(&three()?)
}

fn in_order_of_birth(children: &[Pid]) -> Result {
    for (number, child) in (1..).zip(children) {
        // SAFETY: waitpid allows a null pointer, for a caller that does not want the status.
        while unsafe { libc::waitpid(child.as_raw(), null_mut(), 0) } < 0 {
            if Errno::last() != Errno::EINTR {
                return Err(Errno::last()).named("waitpid");
            }
        }
        say(format_args!("child {number} exited with {number}"))?;
    }
    Ok(())
}
