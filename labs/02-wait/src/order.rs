//! Step 2: wait for each child by its pid, in order of birth, whatever the order in which they end.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

/// Forks the three children and tells of each in order of birth.
pub fn run() -> Result {
    in_order_of_birth(&three()?)
}

/// Prints `child 1 exited with 1` and so on, once each child has been waited for.
fn in_order_of_birth(children: &[Pid]) -> Result {
    // TODO 2: wait for each child by its pid (`wait_for`), in the order of the list, whoever ends first. Take the
    // code from the status (`exit_code`) and print it at once.
    // Output: `child 1 exited with 1`, `child 2 exited with 2`, `child 3 exited with 3`.
    todo!("step 2: wait for the children in order of birth")
}
