//! Right for step 1 (orphan). Replaces src/orphan.rs.
//! Signals in the place of descriptors: the child asks for a signal at its parent's end (`PR_SET_PDEATHSIG`) and
//! waits for that; the parent waits for a signal from the child, or for `SIGCHLD` if the child fails.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::{Error, Named, Result, leave, reap, retry, say};

/// From the kernel to the child: your parent has ended.
const GONE: Signal = Signal::SIGUSR1;
/// From the child to the parent: I have spoken.
const SPOKEN: Signal = Signal::SIGUSR2;

pub fn run() -> Result {
    // Blocked before the fork: none of them can come too early, and each is taken by `wait`.
    let signals = SigSet::from_iter([GONE, SPOKEN, Signal::SIGCHLD]);
    signals.thread_block().named("sigprocmask")?;
    let main = getpid();
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(child(main)),
        ForkResult::Parent { child } => parent(child),
    }
}

fn child(main: Pid) -> Result {
    // SAFETY: this prctl takes two integers and touches no memory of ours.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, GONE as libc::c_ulong) }).named("prctl")?;
    say(format_args!("child: parent {}", getppid()))?;
    // Asked after the prctl: a parent that ended before it will never be reported, one that ends later will.
    if getppid() == main {
        kill(main, SPOKEN).named("kill")?;
        retry(|| SigSet::from(GONE).wait()).named("sigwait")?;
    }
    say(format_args!("child: adopted by {}", getppid()))
}

fn parent(child: Pid) -> Result {
    let signals = SigSet::from_iter([SPOKEN, Signal::SIGCHLD]);
    let result = match retry(|| signals.wait()).named("sigwait") {
        Ok(SPOKEN) => say("parent: leaving"),
        Ok(_) => Err(Error::Child),
        Err(error) => Err(error),
    };
    if result.is_err() {
        let _ = kill(child, Signal::SIGKILL);
        reap(child)?;
    }
    result
}
