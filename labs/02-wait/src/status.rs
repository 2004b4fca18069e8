//! Step 5: everything that a wait status can say: exited, killed, stopped, continued.

#![expect(unused, reason = "delete this line when every TODO is done")]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, raise, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid, fork, pipe2, read};

use crate::one::wait_for;
use crate::spawn::exit;
use crate::{Named, Result, say};

/// What the child is to do.
pub enum How {
    Exit(u8),
    Kill(Signal),
    Stop,
}

/// Forks a child that does `how`, and prints every change of its state.
pub fn run(how: How) -> Result {
    let (gate, latch) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program never starts a thread, so no thread that the child lacks can hold a lock.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            // The gate opens when the last copy of the latch is closed: the child must not keep one.
            drop(latch);
            child(how, gate)
        }
        ForkResult::Parent { child } => {
            drop(gate);
            let end = watch(child, Some(latch)).inspect_err(|_| {
                // The child may be stopped, and nobody could wait for its end.
                let _ = kill(child, Signal::SIGKILL);
            });
            say(end?)
        }
    }
}

/// The child: does `how`. What fails here is told, and ends the child with 1.
fn child(how: How, gate: OwnedFd) -> ! {
    let done = match how {
        How::Exit(code) => exit(i32::from(code)),
        How::Kill(signal) => die_of(signal),
        How::Stop => stop(gate),
    };
    exit(done.map_or_else(|error| error.tell().into(), |()| 0))
}

/// Sends itself `death`, the default action of which kills, and leaves no core file.
fn die_of(death: Signal) -> Result {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).named("setrlimit")?;
    // Ignored or blocked signals stay so through fork and exec: whoever started this program may have left
    // some. SIGKILL can be neither, and to ask for it is an error.
    if death != Signal::SIGKILL {
        // SAFETY: the default action is no handler, so no code of this program runs inside a signal.
        unsafe { signal(death, SigHandler::SigDfl) }.named("signal")?;
    }
    SigSet::from(death).thread_unblock().named("sigprocmask")?;
    raise(death).named("raise")
}

/// Stops itself; once continued, sleeps until the gate opens.
fn stop(gate: OwnedFd) -> Result {
    // A parent that dies, of SIGPIPE say, continues nobody: this child shall not stay stopped for ever then.
    set_pdeathsig(Signal::SIGKILL).named("prctl")?;
    raise(Signal::SIGSTOP).named("raise")?;
    // Nothing is ever written: the read returns when the write end is closed, also if by the parent's death.
    while read(&gate, &mut [0]) == Err(Errno::EINTR) {}
    Ok(())
}

/// Prints `stopped by SIGSTOP` and continues the child; prints `continued` and opens the gate; returns, when
/// the child has ended, how: `exited 0` or `killed by SIGTERM`.
fn watch(child: Pid, mut latch: Option<OwnedFd>) -> Result<String> {
    // TODO 5: wait, with the flags that report stops and continuations too, until the child has ended.
    // - When it was stopped, print `stopped by SIGSTOP` and send it SIGCONT (a `Signal` prints as its name).
    // - When it was continued, print `continued` and open the gate: `drop(latch.take())`.
    // - When it has ended, return `exited 9` or `killed by SIGTERM`: `run` prints it.
    // Output of `status stop`: `stopped by SIGSTOP`, `continued`, `exited 0`.
    todo!("step 5: tell every change of the child's state")
}
