//! Right for step 3 (first). Replaces src/first.rs.
//! A pidfd for each child: it becomes readable when the child has ended. poll(2) sleeps until one is, so that
//! a program could wait for children and for input in one place.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

struct Child {
    number: usize,
    pid: Pid,
    end: OwnedFd,
}

pub fn run() -> Result {
    let mut left = Vec::new();
    for (index, pid) in three()?.into_iter().enumerate() {
        left.push(Child {
            number: index + 1,
            pid,
            end: pidfd_open(pid)?,
        });
    }
    while !left.is_empty() {
        let child = left.remove(next(&left)?);
        let status = wait_for(child.pid, None).named("waitpid")?;
        say(format_args!(
            "child {} exited with {}",
            child.number,
            exit_code(status)?
        ))?;
    }
    Ok(())
}

/// Sleeps until a child has ended, and returns its place in the list.
fn next(left: &[Child]) -> Result<usize> {
    loop {
        let mut ends: Vec<_> = left
            .iter()
            .map(|child| PollFd::new(child.end.as_fd(), PollFlags::POLLIN))
            .collect();
        match poll(&mut ends, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).named("poll"),
            Ok(_) => {
                if let Some(index) = ends.iter().position(|end| end.any() == Some(true)) {
                    return Ok(index);
                }
            }
        }
    }
}

/// nix has no pidfd_open(2). The descriptor is close-on-exec from birth.
fn pidfd_open(pid: Pid) -> Result<OwnedFd> {
    // SAFETY: the call takes a pid and flags, no pointer.
    let fd =
        Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) }).named("pidfd_open")?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
