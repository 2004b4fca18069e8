//! Refused by step 3 (double). Replaces src/double.rs.
//! The worker asks for a signal at its parent's end, and waits for it. If the middle process ended before the worker had
//! asked, the signal is for the end of the new parent: ask `getppid` in between.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, fork, getppid};

use crate::{Error, Named, Result, leave, reap, retry, say};

/// Main waits for the middle process, which ends at once, and for no one else.
pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(middle()),
        ForkResult::Parent { child } => match reap(child)? {
            WaitStatus::Exited(_, 0) => say("main: free"),
            _ => Err(Error::Child),
        },
    }
}

/// The middle process: makes the worker and is gone, so that the worker gets another parent.
fn middle() -> Result {
    SigSet::from(Signal::SIGUSR1)
        .thread_block()
        .named("sigprocmask")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(worker()),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// Says who has adopted it, once somebody has, and does its work, of which there is none here.
fn worker() -> Result {
    // SAFETY: this prctl takes two integers and touches no memory of ours.
    let asked = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, Signal::SIGUSR1 as libc::c_ulong) };
    Errno::result(asked).named("prctl")?;
    retry(|| SigSet::from(Signal::SIGUSR1).wait()).named("sigwait")?;
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}
