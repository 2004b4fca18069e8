//! Step 2: wait for each child by its pid, in order of birth, whatever the order in which they end.

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
    for (number, &child) in (1..).zip(children) {
        let status = wait_for(child, None).named("waitpid")?;
        say(format_args!("child {number} exited with {}", exit_code(status)?))?;
    }
    Ok(())
}
