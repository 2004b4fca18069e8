//! Refused by step 2 (zombie). Replaces src/zombie.rs.
//! It asks whether there is such a process, and calls it a zombie when there is. `kill` with no signal says only that the
//! id is taken: by a zombie, or by a process that lives.

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

/// Whether the id is taken, and `Z` if it is.
fn state(pid: Pid) -> Result<Option<char>> {
    match nix::sys::signal::kill(pid, None) {
        Ok(()) => Ok(Some('Z')),
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => Err(errno).named("kill"),
    }
}
