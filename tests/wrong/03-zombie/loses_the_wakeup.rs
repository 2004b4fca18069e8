//! Refused by step 5 (handler). Replaces src/handler.rs.
//! No pipe is needed: main looks, and pauses until the next signal. A signal that comes between the look and the pause wakes
//! nobody, and if it was the last one, main sleeps for ever.

use std::ffi::c_int;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pause, pipe2, read};

use crate::{Error, Named, Result, leave, retry, say};

pub fn run(n: usize) -> Result {
    catch_sigchld()?;
    let forked = fork_children(n);
    // Also when a fork failed: the children made before it are not left behind.
    let reaped = reap_all()?;
    forked?;
    say(format_args!("reaped {reaped}"))
}

/// Installs the handler.
fn catch_sigchld() -> Result {
    let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
    let action = SigAction::new(SigHandler::Handler(on_sigchld), flags, SigSet::empty());
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    Ok(())
}

/// Ends the pause by having been called.
extern "C" fn on_sigchld(_signal: c_int) {}

/// Forks n children that end together: at a gate, which opens when main closes its by leaving this function.
fn fork_children(n: usize) -> Result {
    let (gate, key) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    for _ in 0..n {
        // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            // A child that kept this end would keep the gate shut, for itself too.
            drop(key);
            leave(retry(|| read(&gate, &mut [0])).named("read").map(drop));
        }
    }
    Ok(())
}

/// Reaps until there is no child left; returns how many there were.
fn reap_all() -> Result<usize> {
    let mut reaped = 0;
    loop {
        match retry(|| waitpid(None, Some(WaitPidFlag::WNOHANG))) {
            Ok(WaitStatus::StillAlive) => {
                pause();
            }
            Ok(_) => reaped += 1,
            Err(Errno::ECHILD) => return Ok(reaped),
            Err(errno) => return Err(Error::Call("waitpid", errno)),
        }
    }
}
