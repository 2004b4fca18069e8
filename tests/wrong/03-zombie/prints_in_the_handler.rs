//! Refused by step 5 (handler). Replaces src/handler.rs.
//! The handler reaps in a loop, and as it knows first when all are done, it prints the line too. `say` takes
//! a lock and allocates: if the signal comes while main does either, the handler waits for main for ever.

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pipe2, read};

use crate::{Named, Result, leave, retry, say};

static EXPECTED: AtomicUsize = AtomicUsize::new(0);
static REAPED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_sigchld(_signal: c_int) {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
        let reaped = REAPED.fetch_add(1, Ordering::Relaxed) + 1;
        if reaped == EXPECTED.load(Ordering::Relaxed) {
            let _ = say(format_args!("reaped {reaped}"));
        }
    }
}

pub fn run(n: usize) -> Result {
    if n == 0 {
        return say("reaped 0");
    }
    EXPECTED.store(n, Ordering::Relaxed);
    let through = catch_sigchld()?;
    fork_children(n)?;
    while REAPED.load(Ordering::Relaxed) < n {
        through.suspend().named("sigsuspend")?;
    }
    Ok(())
}

/// Installs the handler and keeps the signal blocked; returns the mask that lets it through, to sleep with.
fn catch_sigchld() -> Result<SigSet> {
    let action = SigAction::new(
        SigHandler::Handler(on_sigchld),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: this is what the handler's own comment is about.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    SigSet::from(Signal::SIGCHLD)
        .thread_block()
        .named("sigprocmask")?;
    let mut through = SigSet::thread_get_mask().named("sigprocmask")?;
    through.remove(Signal::SIGCHLD);
    Ok(through)
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
