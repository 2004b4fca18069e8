//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! 500 ms are five times 100 ms: five times `working`, then a wait that blocks. The output is right, and no
//! look was ever taken.

use std::thread::sleep;
use std::time::Duration;

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

const PAUSE: Duration = Duration::from_millis(100);

pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

fn look_for(child: Pid) -> Result {
    for _ in 0..5 {
        say("working")?;
        sleep(PAUSE);
    }
    let status = wait_for(child, None).named("waitpid")?;
    say(format_args!("child exited with {}", exit_code(status)?))
}
