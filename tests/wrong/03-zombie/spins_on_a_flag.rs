//! Refused by step 5 (handler). Replaces src/handler.rs.
//! The handler sets a flag, and main runs around it until it is set. Each child is reaped, and a CPU is
//! burnt.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pipe2, read};

use crate::{Error, Named, Result, leave, retry, say};

static ENDED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_sigchld(_signal: c_int) {
    ENDED.store(true, Ordering::Relaxed);
}

pub fn run(n: usize) -> Result {
    let action = SigAction::new(
        SigHandler::Handler(on_sigchld),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: the handler sets an atomic flag, which is async-signal-safe.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    let forked = fork_children(n);
    let mut reaped = 0;
    loop {
        match retry(|| waitpid(None, Some(WaitPidFlag::WNOHANG))) {
            Ok(WaitStatus::StillAlive) => while !ENDED.swap(false, Ordering::Relaxed) {},
            Ok(_) => reaped += 1,
            Err(Errno::ECHILD) => break,
            Err(errno) => return Err(Error::Call("waitpid", errno)),
        }
    }
    forked?;
    say(format_args!("reaped {reaped}"))
}

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
