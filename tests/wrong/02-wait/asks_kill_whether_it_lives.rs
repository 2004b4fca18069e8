//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! `kill` with no signal tests whether a process exists. It does: a child that has ended is a zombie until it
//! is waited for, so this look never finds the end. It gives up after ten.

use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

const PAUSE: Duration = Duration::from_millis(100);

pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

fn look_for(child: Pid) -> Result {
    for _ in 0..10 {
        if kill(child, None) == Err(Errno::ESRCH) {
            break;
        }
        say("working")?;
        sleep(PAUSE);
    }
    let status = wait_for(child, None).named("waitpid")?;
    say(format_args!("child exited with {}", exit_code(status)?))
}
