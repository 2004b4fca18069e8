//! Refused by step 1 (orphan). Replaces src/orphan.rs.
//! The child opens the pidfd itself, of `getppid`, after it has spoken. If the parent has left by then, that is the new
//! parent, and the child waits for the end of a process that does not end.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getppid, pipe2, read, write};

use crate::{Error, Named, Result, leave, pidfd, reap, retry, say};

pub fn run() -> Result {
    let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(from_child);
            leave(child(&to_parent))
        }
        ForkResult::Parent { child } => {
            drop(to_parent);
            parent(child, &from_child)
        }
    }
}

/// Says whose child it is while the parent lives, and again once the parent is gone.
fn child(to_parent: &OwnedFd) -> Result {
    say(format_args!("child: parent {}", getppid()))?;
    retry(|| write(to_parent, b"!")).named("write")?;
    pidfd::wait_for_end(&pidfd_of(getppid())?)?;
    say(format_args!("child: adopted by {}", getppid()))
}

/// Opens a pidfd for this process.
fn pidfd_of(pid: Pid) -> Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd).named("pidfd_open")?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Leaves once the child has spoken, and without waiting for it: that is what makes it an orphan.
fn parent(child: Pid, from_child: &OwnedFd) -> Result {
    let Err(error) = hear(from_child).and_then(|()| say("parent: leaving")) else {
        return Ok(());
    };
    // This is no leaving but a failure, and a failure leaves nobody behind.
    if !matches!(error, Error::Child) {
        kill(child, Signal::SIGKILL).named("kill")?;
    }
    reap(child)?;
    Err(error)
}

/// Sleeps until the child has written its byte. (End of file: it ended without.)
fn hear(from_child: &OwnedFd) -> Result {
    match retry(|| read(from_child, &mut [0])).named("read")? {
        0 => Err(Error::Child),
        _ => Ok(()),
    }
}
