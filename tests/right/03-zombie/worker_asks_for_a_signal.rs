//! Right for step 3 (double). Replaces src/double.rs.
//! The worker waits for the signal that the kernel sends at its parent's end (`PR_SET_PDEATHSIG`), by `sigsuspend`.

use std::ffi::c_int;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Error, Named, Result, leave, retry, say};

pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    let middle = match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(middle()),
        ForkResult::Parent { child } => child,
    };
    match retry(|| waitid(Id::Pid(middle), WaitPidFlag::WEXITED)).named("waitid")? {
        WaitStatus::Exited(_, 0) => say("main: free"),
        _ => Err(Error::Child),
    }
}

fn middle() -> Result {
    SigSet::from(Signal::SIGUSR1)
        .thread_block()
        .named("sigprocmask")?;
    let middle = getpid();
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    if let ForkResult::Child = unsafe { fork() }.named("fork")? {
        leave(worker(middle))
    }
    Ok(())
}

fn worker(middle: Pid) -> Result {
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.named("sigaction")?;
    // SAFETY: this prctl takes two integers and touches no memory of ours.
    let asked = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, Signal::SIGUSR1 as libc::c_ulong) };
    Errno::result(asked).named("prctl")?;
    // The signal is blocked but for the sleep itself: it cannot be lost between the question and the sleep.
    let mut during = SigSet::thread_get_mask().named("sigprocmask")?;
    during.remove(Signal::SIGUSR1);
    while getppid() == middle {
        match during.suspend() {
            Ok(()) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("sigsuspend", errno)),
        }
    }
    say(format_args!("worker: adopted by {}", getppid()))?;
    say("worker: done")
}

/// Ends the sleep by having been called.
extern "C" fn nothing(_signal: c_int) {}
