//! Refused by step 5 (handler). Replaces src/handler.rs.
//! The handler reaps the child that the signal is about: one. The signal may be about all of them. (After a
//! second without a signal it gives up; a real one would sleep for ever.)

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::poll;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pipe2, read};

use crate::{Named, Result, leave, retry, say};

static REAPED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_sigchld(_signal: c_int) {
    let errno = Errno::last_raw();
    if waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive) {
        REAPED.fetch_add(1, Ordering::Relaxed);
    }
    Errno::set_raw(errno);
}

pub fn run(n: usize) -> Result {
    let action = SigAction::new(
        SigHandler::Handler(on_sigchld),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    // SAFETY: the handler calls waitpid, which is async-signal-safe, and puts errno back.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    fork_children(n)?;
    while REAPED.load(Ordering::Relaxed) < n && poll(&mut [], 1000u16) == Err(Errno::EINTR) {}
    say(format_args!("reaped {}", REAPED.load(Ordering::Relaxed)))
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
