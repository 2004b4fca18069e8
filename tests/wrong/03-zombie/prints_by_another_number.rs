//! Refused by step 5 (handler). Replaces src/handler.rs.
//! The handler has a copy of standard output to itself, and writes there: by another number it is the same stream, in the
//! middle of whatever main was just printing to it.

use std::ffi::c_int;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, fork, pipe2, read, write};

use crate::{Error, Named, Result, leave, retry, say};

/// The self-pipe: the end that main sleeps on, and the end that the handler writes to. A static, since a handler is
/// passed nothing but its signal; and never closed, since that may come at any time, until the very end.
static WAKE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();

pub fn run(n: usize) -> Result {
    let wake = catch_sigchld()?;
    let forked = fork_children(n);
    // Also when a fork failed: the children made before it are not left behind.
    let reaped = reap_all(wake);
    if reaped.is_err() {
        // No child outlives a failure.
        while retry(wait).is_ok() {}
    }
    forked?;
    say(format_args!("reaped {}", reaped?))
}

/// Installs the handler; returns the end of the self-pipe to sleep on: a byte in it says that `SIGCHLD` has come.
fn catch_sigchld() -> Result<&'static OwnedFd> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // A full pipe must not hold up the handler, and need not: one byte is enough to wake main.
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).named("fcntl")?;
    let (reader, _) = WAKE.get_or_init(|| (reader, writer));
    let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP;
    let action = SigAction::new(SigHandler::Handler(on_sigchld), flags, SigSet::empty());
    // SAFETY: all that the handler calls is async-signal-safe, and it leaves errno as it found it.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    Ok(reader)
}

/// Runs between any two instructions of main, also in the middle of `malloc`. So it writes one byte, and all
/// else is done by main, when main is ready for it.
extern "C" fn on_sigchld(_signal: c_int) {
    let errno = Errno::last_raw();
    if let Some((_, writer)) = WAKE.get() {
        let _ = write(writer, b"!");
        // SAFETY: the two calls take no pointer but that to a constant.
        unsafe {
            nix::libc::dup2(1, 9);
            nix::libc::write(9, b"".as_ptr().cast(), 0);
        }
    }
    Errno::set_raw(errno);
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

/// Reaps until there is no child left; returns how many there were.
// ANCHOR: reap_all
fn reap_all(wake: &OwnedFd) -> Result<usize> {
    let mut reaped = 0;
    loop {
        match retry(|| waitpid(None, Some(WaitPidFlag::WNOHANG))) {
            Ok(WaitStatus::StillAlive) => {
                // A child that ends between the two calls has left a byte by then: nothing is missed.
                retry(|| read(wake, &mut [0; 64])).named("read")?;
            }
            Ok(_) => reaped += 1,
            Err(Errno::ECHILD) => return Ok(reaped),
            Err(errno) => return Err(Error::Call("waitpid", errno)),
        }
    }
}
// ANCHOR_END: reap_all
