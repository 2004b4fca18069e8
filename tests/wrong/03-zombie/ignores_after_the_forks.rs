//! Refused by step 4 (ignore). Replaces src/ignore.rs.
//! `SIGCHLD` is ignored when all children have been forked, which is mostly before any of them has ended. One that was
//! faster is a zombie, and is not forgotten when the signal is.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::wait;
use nix::unistd::{ForkResult, fork};

use crate::{Error, Named, Result, leave, say};

pub fn run(n: usize) -> Result {
    let forked = (0..n).try_for_each(|_| fork_child());
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.named("signal")?;
    // Also when a fork failed: the children made before it are not left behind.
    wait_for_none()?;
    forked?;
    say(format_args!("{n} children ended, ECHILD"))
}

/// Forks a child that ends at once.
fn fork_child() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// Sleeps until there is no child left. With `SIGCHLD` ignored there is nobody that a wait could return.
fn wait_for_none() -> Result {
    loop {
        match wait() {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("wait", errno)),
        }
    }
}
