//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! WNOHANG returns at once, and is called again at once. The loop prints `working` every 100 ms only, so that
//! the output looks right; the thousands of looks between are not told.

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
    let mut next = Instant::now();
    loop {
        match wait_for(child, Some(WaitPidFlag::WNOHANG)).named("waitpid")? {
            WaitStatus::StillAlive if Instant::now() >= next => {
                say("working")?;
                next += PAUSE;
            }
            WaitStatus::StillAlive => {}
            status => return say(format_args!("child exited with {}", exit_code(status)?)),
        }
    }
}
