//! A process as a file descriptor: what steps 1 and 3 sleep on. This file is complete.
//!
//! A process id is a number that is given out again once its process has been reaped. A pidfd is not: it
//! stands for one process for ever, also after that has ended. It is inherited over a fork like any other descriptor.

use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::getpid;

use crate::{Named, Result, retry};

/// Opens a pidfd for the calling process (nix has no wrapper for this call yet). The kernel makes it close-on-exec.
pub fn of_myself() -> Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, getpid().as_raw(), 0) };
    let fd = Errno::result(fd).named("pidfd_open")?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sleeps until that process has ended. A pidfd becomes readable at its process's end, which comes after its
/// children have been given to another parent; `poll`, which lab 4 is about, sleeps until then.
pub fn wait_for_end(process: &OwnedFd) -> Result {
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    retry(|| poll(&mut fds, PollTimeout::NONE)).named("poll")?;
    Ok(())
}
