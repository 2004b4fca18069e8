//! Refused by step 2 (order). Replaces src/order.rs.
//! A wait that fails is skipped, for the next one may succeed. When a signal interrupts one, that child is
//! never waited for, and its line is missing.

use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::one::exit_code;
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_birth(&three()?)
}

fn in_order_of_birth(children: &[Pid]) -> Result {
    for (number, &child) in (1..).zip(children) {
        if let Ok(status) = waitpid(child, None) {
            say(format_args!("child {number} exited with {}", exit_code(status)?))?;
        }
    }
    Ok(())
}
