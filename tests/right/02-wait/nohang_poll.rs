//! Right for step 4 (nohang). Replaces src/nohang.rs.
//! Looks with waitid(2), and between two looks sleeps in a poll(2) of nothing, again if a signal cuts it
//! short.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::one::exit_code;
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

pub fn run() -> Result {
    let child = spawn(|| nap(500, 7))?;
    let mut next = Instant::now();
    loop {
        let status = look_at(child)?;
        if status != WaitStatus::StillAlive {
            return say(format_args!("child exited with {}", exit_code(status)?));
        }
        say("working")?;
        next += Duration::from_millis(100);
        sleep_until(next)?;
    }
}

fn look_at(child: Pid) -> Result<WaitStatus> {
    loop {
        match waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) {
            Err(Errno::EINTR) => {}
            result => return result.named("waitid"),
        }
    }
}

fn sleep_until(deadline: Instant) -> Result {
    loop {
        // poll counts whole milliseconds: one more than the rest has, so that it never wakes too early.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut [], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).named("poll"),
        }
    }
}
