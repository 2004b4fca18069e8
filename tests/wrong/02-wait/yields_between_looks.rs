//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! Gives the processor away between two looks, and calls that a pause. With nobody else to run, sched_yield
//! returns at once: a busy loop, which prints thousands of lines.

use std::thread::yield_now;
use std::time::Duration;

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
        yield_now();
    }
}
