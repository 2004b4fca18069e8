//! Right for step 1 (twice). Replaces src/twice.rs.
//! The C function itself: -1, 0 or a process id, told apart by hand, and a wait for exactly that id.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{Error, Named, Result, leave, say};

pub fn run() -> Result {
    say("before")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()).named("fork"),
        0 => leave(say("child: after")),
        child => parent(Pid::from_raw(child)),
    }
}

/// What only the parent does: its child is reaped even if the line cannot be written.
fn parent(child: Pid) -> Result {
    let said = say("parent: after");
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, 0)) => return said,
            Ok(_) => return said.and(Err(Error::Child)),
            Err(errno) => return Err(errno).named("waitpid"),
        }
    }
}
