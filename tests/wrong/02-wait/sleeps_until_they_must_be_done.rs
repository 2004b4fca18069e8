//! Refused by step 2 (order). Replaces src/order.rs.
//! The longest child takes 300 ms, so after 400 ms all three have ended, and a look at each finds its code.
//! On a busy machine a look comes too early, finds nothing, and leaves a zombie.

use nix::sys::wait::WaitPidFlag;
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_birth(&three()?)
}

fn in_order_of_birth(children: &[Pid]) -> Result {
    std::thread::sleep(std::time::Duration::from_millis(400));
    for (number, &child) in (1..).zip(children) {
        let status = wait_for(child, Some(WaitPidFlag::WNOHANG)).named("waitpid")?;
        say(format_args!("child {number} exited with {}", exit_code(status)?))?;
    }
    Ok(())
}
