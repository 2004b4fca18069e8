//! Refused by step 4 (ignore). Replaces src/ignore.rs.
//! It counts the children that `wait` returns. With `SIGCHLD` ignored that is none.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::wait;
use nix::unistd::{ForkResult, fork};

use crate::{Error, Named, Result, leave, say};

pub fn run(n: usize) -> Result {
    // Before the first fork: a child that had ended by then would stay a zombie.
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.named("signal")?;
    let forked = (0..n).try_for_each(|_| fork_child());
    // Also when a fork failed: the children made before it are not left behind.
    let ended = wait_for_none()?;
    forked?;
    say(format_args!("{ended} children ended, ECHILD"))
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
fn wait_for_none() -> Result<usize> {
    let mut ended = 0;
    loop {
        match wait() {
            Err(Errno::ECHILD) => return Ok(ended),
            Ok(_) => ended += 1,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("wait", errno)),
        }
    }
}
