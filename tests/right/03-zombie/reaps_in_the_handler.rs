//! Right for step 5 (handler). Replaces src/handler.rs.
//! The handler itself reaps, in a loop that never blocks, and counts in an atomic; main sleeps in `sigsuspend`, which
//! unblocks the signal for its sleep only. So the handler never runs at any other moment.

use std::ffi::c_int;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::{Error, Named, Result, leave, say};

static REAPED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn reap_ended(_signal: c_int) {
    let errno = Errno::last_raw();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => break,
            Ok(_) => {
                REAPED.fetch_add(1, Ordering::Relaxed);
            }
            Err(Errno::EINTR) => {}
            Err(_) => break,
        }
    }
    Errno::set_raw(errno);
}

pub fn run(n: usize) -> Result {
    let action = SigAction::new(
        SigHandler::Handler(reap_ended),
        SaFlags::SA_NOCLDSTOP,
        SigSet::empty(),
    );
    // SAFETY: the handler calls waitpid, which is async-signal-safe, and puts errno back.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    SigSet::from(Signal::SIGCHLD)
        .thread_block()
        .named("sigprocmask")?;
    let mut during = SigSet::thread_get_mask().named("sigprocmask")?;
    during.remove(Signal::SIGCHLD);

    let (born, failed) = fork_children(n)?;
    while REAPED.load(Ordering::Relaxed) < born {
        match during.suspend() {
            Ok(()) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("sigsuspend", errno)),
        }
    }
    match failed {
        Some(errno) => Err(Error::Call("fork", errno)),
        None => say(format_args!("reaped {}", REAPED.load(Ordering::Relaxed))),
    }
}

/// Forks n children that end when this function does; returns how many were made, and why not all.
fn fork_children(n: usize) -> Result<(usize, Option<Errno>)> {
    let (mut gate, key) = io::pipe().named("pipe")?;
    for born in 0..n {
        // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                drop(key);
                leave(gate.read_to_end(&mut Vec::new()).named("read").map(drop));
            }
            Ok(ForkResult::Parent { .. }) => {}
            Err(errno) => return Ok((born, Some(errno))),
        }
    }
    Ok((n, None))
}
