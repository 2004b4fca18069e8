//! Refused by step 2 (zombie). Replaces src/zombie.rs.
//! The file is opened and never read: that it is there is taken for the answer. It is there for a process that lives, too.

use std::fs;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Named, Result, leave, reap, retry, say};

pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { child } => parent(child),
    }
}

/// Looks at the child between its end and its reaping, and again after that.
fn parent(child: Pid) -> Result {
    let looked = wait_unreaped(child).and_then(|()| look(child));
    // Also when the look failed: a child is reaped, whatever happens.
    reap(child)?;
    looked?;
    look(child)
}

/// Sleeps until the child has ended, and leaves it as it is: with `WNOWAIT` a later wait can still reap it.
fn wait_unreaped(child: Pid) -> Result {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    retry(|| waitid(Id::Pid(child), flags)).named("waitid")?;
    Ok(())
}

/// Prints what the kernel says about the child at this moment.
fn look(child: Pid) -> Result {
    match state(child)? {
        Some(state) => say(format_args!("child {child} is {state}")),
        None => say(format_args!("child {child} is gone")),
    }
}

/// Whether the process has a file in `/proc`, and `Z` if it has.
fn state(pid: Pid) -> Result<Option<char>> {
    match fs::File::open(format!("/proc/{pid}/stat")) {
        Ok(_) => Ok(Some('Z')),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(None),
        Err(error) => Err(error).named("open"),
    }
}
