//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! Looks every 100 ms, but passes the time in a loop on the clock. The output is right to the line, and a
//! processor is busy for half a second.

use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

const PAUSE: Duration = Duration::from_millis(100);

pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

fn look_for(child: Pid) -> Result {
    loop {
        match wait_for(child, Some(WaitPidFlag::WNOHANG)).named("waitpid")? {
            WaitStatus::StillAlive => say("working")?,
            status => return say(format_args!("child exited with {}", exit_code(status)?)),
        }
        let look = Instant::now() + PAUSE;
        while Instant::now() < look {
            std::hint::spin_loop();
        }
    }
}
