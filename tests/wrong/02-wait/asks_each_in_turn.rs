//! Refused by step 3 (first). Replaces src/first.rs.
//! Looks at each child in turn, without blocking and without a pause, until all have been found. The order of
//! the output is right, and the parent keeps a processor busy for the whole 300 ms.

use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    let mut left: Vec<_> = (1..).zip(children).collect();
    while !left.is_empty() {
        let mut i = 0;
        while i < left.len() {
            let (number, &child) = left[i];
            let status = wait_for(child, Some(WaitPidFlag::WNOHANG)).named("waitpid")?;
            if status == WaitStatus::StillAlive {
                i += 1;
            } else {
                left.remove(i);
                say(format_args!("child {number} exited with {}", exit_code(status)?))?;
            }
        }
    }
    Ok(())
}
