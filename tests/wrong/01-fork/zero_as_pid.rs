//! Refused by step 2 (pids). Replaces src/pids.rs.
//! The child prints what fork returned to it as its id. That is 0, "you are the child", and no process's id.

use nix::libc;
use nix::unistd::{getpid, getppid};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()).named("fork"),
        0 => leave(say(format_args!("child: pid 0, parent {}", getppid()))),
        child => {
            say(format_args!("parent: pid {}, child {child}", getpid()))?;
            wait()
        }
    }
}
