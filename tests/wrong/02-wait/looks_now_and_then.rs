//! Refused by step 3 (first). Replaces src/first.rs.
//! Looks for any child that has ended, sleeps 10 ms, looks again. It is asleep most of the time, but never in
//! a call that a child's end would wake: it runs a hundred times a second for nothing, and is late by up to
//! 10 ms.

use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    let mut left = children.len();
    while left > 0 {
        let status = wait_for(None, Some(WaitPidFlag::WNOHANG)).named("waitpid")?;
        if let Some(index) = children.iter().position(|&child| status.pid() == Some(child)) {
            say(format_args!(
                "child {} exited with {}",
                index + 1,
                exit_code(status)?
            ))?;
            left -= 1;
        } else {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    Ok(())
}
