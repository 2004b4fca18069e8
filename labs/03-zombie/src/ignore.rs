//! Step 4, ignore: a parent that ignores `SIGCHLD` says that it will not ask, and no zombie is kept for it.
#![expect(unused, reason = "delete this line when every TODO is done")]

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::wait;
use nix::unistd::{ForkResult, fork};

use crate::{Error, Named, Result, leave, say};

pub fn run(n: usize) -> Result {
    // TODO 4: have n children and reap none of them.
    //   ignore SIGCHLD; when is that in time for all of them?
    //     // SAFETY: to ignore a signal runs no code of ours.
    //     unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }
    //   call `fork_child` n times, then `wait_for_none`
    //   when a fork fails, the children made before it are waited for all the same
    //   -> 3 children ended, ECHILD
    todo!("step 4: ignore SIGCHLD, fork n children, wait until there is none")
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
