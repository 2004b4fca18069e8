//! Refused by step 2 (zombie). Replaces src/zombie.rs.
//! The parent pauses until `SIGCHLD` comes. If the child was faster, the signal has come already, and the pause lasts
//! for ever.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid, fork, pause};

use crate::{Named, Result, leave, reap, say};

pub fn run() -> Result {
    // SAFETY: the handler does nothing, which is safe at any moment.
    unsafe { signal(Signal::SIGCHLD, SigHandler::Handler(nothing)) }.named("signal")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { child } => parent(child),
    }
}

/// Looks at the child between its end and its reaping, and again after that.
fn parent(child: Pid) -> Result {
    let looked = wait_unreaped().and_then(|()| look(child));
    // Also when the look failed: a child is reaped, whatever happens.
    reap(child)?;
    looked?;
    look(child)
}

extern "C" fn nothing(_signal: std::ffi::c_int) {}

/// Sleeps until a signal comes.
fn wait_unreaped() -> Result {
    pause();
    Ok(())
}

/// Prints what the kernel says about the child at this moment.
fn look(child: Pid) -> Result {
    match state(child)? {
        Some(state) => say(format_args!("child {child} is {state}")),
        None => say(format_args!("child {child} is gone")),
    }
}

/// The state of a process, a letter as `ps` shows it, or None where there is no such process.
fn state(pid: Pid) -> Result<Option<char>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        // `PID (COMMAND) STATE …`: a command may itself hold blanks and brackets, hence the *last* bracket.
        Ok(stat) => Ok(String::from_utf8_lossy(&stat)
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next())),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(None),
        Err(error) => Err(error).named("open"),
    }
}
