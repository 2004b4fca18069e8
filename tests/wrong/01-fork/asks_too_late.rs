//! Refused by step 2 (pids). Replaces src/pids.rs.
//! The parent does not wait for its child. By the time the child asks for its parent, another process has adopted it,
//! and the kernel answers with that one's id.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::{Named, Result, leave, say};

pub fn run() -> Result {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
    let fd = Errno::result(fd).named("pidfd_open")?;
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    let parent = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            ended(&parent)?;
            leave(say(format_args!("child: pid {}, parent {}", getpid(), getppid())))
        }
        ForkResult::Parent { child } => say(format_args!("parent: pid {}, child {child}", getpid())),
    }
}

/// Sleeps until a process has ended. Its children have been adopted by then.
fn ended(process: &OwnedFd) -> Result {
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).named("poll").map(drop)
}
