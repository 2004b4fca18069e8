//! Refused by step 2 (zombie). Replaces src/zombie.rs.
//! The child holds the only writing end of a pipe: at its end of file it has ended. But the kernel closes descriptors
//! *before* it makes a process a zombie: it may be seen running still.

use std::fs;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{ForkResult, Pid, fork, pipe2, read};

use crate::{Named, Result, leave, reap, retry, say};

pub fn run() -> Result {
    let (end, childs_end) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { child } => {
            drop(childs_end);
            parent(child, &end)
        }
    }
}

/// Looks at the child between its end and its reaping, and again after that.
fn parent(child: Pid, end: &OwnedFd) -> Result {
    let looked = wait_unreaped(end).and_then(|()| look(child));
    // Also when the look failed: a child is reaped, whatever happens.
    reap(child)?;
    looked?;
    look(child)
}

/// Sleeps until the child has let go of its end of the pipe.
fn wait_unreaped(end: &OwnedFd) -> Result {
    retry(|| read(end, &mut [0])).named("read").map(drop)
}

/// Prints what the kernel says about the child at this moment.
fn look(child: Pid) -> Result {
    match state(child)? {
        Some(state) => say(format_args!("child {child} is {state}")),
        None => say(format_args!("child {child} is gone")),
    }
}

/// The state of a process, a letter as `ps` shows it, or None where there is no such process.
fn state(pid: Pid) -> Result<Option<char>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        // `PID (COMMAND) STATE …`: a command may itself hold blanks and brackets, hence the *last* bracket.
        Ok(stat) => Ok(String::from_utf8_lossy(&stat)
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next())),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(None),
        Err(error) => Err(error).named("open"),
    }
}
