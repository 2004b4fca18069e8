//! Step 4: look now and then whether a child has ended, without waiting for it.

#![expect(unused, reason = "delete this line when every TODO is done")]

use std::thread::sleep;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

/// How long the parent does something else between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Forks a child that works for half a second, and looks for its end.
pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

/// Prints `working` for each look that finds nothing, then `child exited with 7`.
fn look_for(child: Pid) -> Result {
    // TODO 4: look with `WaitPidFlag::WNOHANG`, which returns at once. `WaitStatus::StillAlive` means that there
    // is nothing to report: print `working`, sleep for `PAUSE`, look again. Any other status is the end.
    // Output: `working` (about five times), then `child exited with 7`.
    todo!("step 4: look for the end of the child without waiting for it")
}
