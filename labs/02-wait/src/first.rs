//! Step 3: wait for whichever child ends next.

#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

/// Forks the three children and tells of each when it ends.
pub fn run() -> Result {
    in_order_of_end(&three()?)
}

/// Prints the same lines as step 2, in the order in which the children end.
fn in_order_of_end(children: &[Pid]) -> Result {
    // TODO 3: wait for any child (`None` in place of a pid). The status says which one it was: its place in
    // `children` gives its number. Go on until each of them has been reaped.
    // Output: `child 2 exited with 2`, `child 3 exited with 3`, `child 1 exited with 1`.
    todo!("step 3: wait for whichever child ends next")
}
