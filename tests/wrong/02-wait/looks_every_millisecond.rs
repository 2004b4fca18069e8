//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! Looks a thousand times a second in place of ten times, so as not to be late: 500 lines of `working`, and the processor is
//! woken for each.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

/// How long the parent does something else between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// Forks a child that works for half a second, and looks for its end.
pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

/// Prints `working` for each look that finds nothing, then `child exited with 7`.
fn look_for(child: Pid) -> Result {
    loop {
        match wait_for(child, Some(WaitPidFlag::WNOHANG)).named("waitpid")? {
            WaitStatus::StillAlive => say("working")?,
            status => return say(format_args!("child exited with {}", exit_code(status)?)),
        }
        sleep(PAUSE);
    }
}
