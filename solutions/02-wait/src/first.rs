//! Step 3: wait for whichever child ends next.

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
    let mut left = children.len();
    while left > 0 {
        let status = wait_for(None, None).named("waitpid")?;
        // A process keeps its children through an exec, so one may turn up here that this program never made.
        if let Some(index) = children.iter().position(|&child| status.pid() == Some(child)) {
            let number = index + 1;
            say(format_args!("child {number} exited with {}", exit_code(status)?))?;
            left -= 1;
        }
    }
    Ok(())
}
