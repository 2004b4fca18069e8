//! Refused by step 2 (pids). Replaces src/pids.rs.
//! The parent does not wait for its child. By the time the child asks for its parent, another process has adopted it,
//! and the kernel answers with that one's id.

use std::thread;
use std::time::Duration;

use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::{Named, Result, leave, say};

pub fn run() -> Result {
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            thread::sleep(Duration::from_millis(100));
            leave(say(format_args!("child: pid {}, parent {}", getpid(), getppid())))
        }
        ForkResult::Parent { child } => say(format_args!("parent: pid {}, child {child}", getpid())),
    }
}
