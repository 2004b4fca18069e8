//! Refused by step 5 (status). Replaces src/status.rs.
//! Does not limit the size of core files. Where the shell allows them (`ulimit -c unlimited`), a child killed
//! by SIGQUIT, SIGSEGV, SIGABRT ... leaves one in the current directory.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, raise, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid, fork, pipe2, read};

use crate::one::wait_for;
use crate::spawn::exit;
use crate::{Named, Result, say};

pub enum How {
    Exit(u8),
    Kill(Signal),
    Stop,
}

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

fn child(how: How, gate: OwnedFd) -> ! {
    let done = match how {
        How::Exit(code) => exit(i32::from(code)),
        How::Kill(signal) => die_of(signal),
        How::Stop => stop(gate),
    };
    exit(done.map_or_else(|error| error.tell().into(), |()| 0))
}

fn die_of(death: Signal) -> Result {
    // Ignored or blocked signals stay so through fork and exec: whoever started this program may have left
    // some. SIGKILL can be neither, and to ask for it is an error.
    if death != Signal::SIGKILL {
        // SAFETY: the default action is no handler, so no code of this program runs inside a signal.
        unsafe { signal(death, SigHandler::SigDfl) }.named("signal")?;
    }
    SigSet::from(death).thread_unblock().named("sigprocmask")?;
    raise(death).named("raise")
}

fn stop(gate: OwnedFd) -> Result {
    // A parent that dies, of SIGPIPE say, continues nobody: this child shall not stay stopped for ever then.
    set_pdeathsig(Signal::SIGKILL).named("prctl")?;
    raise(Signal::SIGSTOP).named("raise")?;
    // Nothing is ever written: the read returns when the write end is closed, also if by the parent's death.
    while read(&gate, &mut [0]) == Err(Errno::EINTR) {}
    Ok(())
}

fn watch(child: Pid, mut latch: Option<OwnedFd>) -> Result<String> {
    let changes = WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
    loop {
        match wait_for(child, Some(changes)).named("waitpid")? {
            WaitStatus::Stopped(_, signal) => {
                say(format_args!("stopped by {signal}"))?;
                kill(child, Signal::SIGCONT).named("kill")?;
            }
            WaitStatus::Continued(_) => {
                say("continued")?;
                drop(latch.take());
            }
            WaitStatus::Exited(_, code) => return Ok(format!("exited {code}")),
            WaitStatus::Signaled(_, signal, _) => return Ok(format!("killed by {signal}")),
            // The rest is for tracers, and for WNOHANG.
            _ => {}
        }
    }
}
