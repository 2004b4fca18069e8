//! Right for step 4 (ignore). Replaces src/ignore.rs.
//! `sigaction` in the place of `signal`, with the flag that means the same thing (`SA_NOCLDWAIT`) as well, and
//! `waitid` in the place of `wait`.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{ForkResult, fork};

use crate::{Error, Named, Result, say};

pub fn run(n: usize) -> Result {
    let action = SigAction::new(SigHandler::SigIgn, SaFlags::SA_NOCLDWAIT, SigSet::empty());
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.named("sigaction")?;
    let mut failed = None;
    for _ in 0..n {
        // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
        match unsafe { fork() } {
            // SAFETY: `_exit` takes no pointer and runs no code of this process.
            Ok(ForkResult::Child) => unsafe { libc::_exit(0) },
            Ok(ForkResult::Parent { .. }) => {}
            Err(errno) => {
                failed = Some(Error::Call("fork", errno));
                break;
            }
        }
    }
    loop {
        match waitid(Id::All, WaitPidFlag::WEXITED) {
            Err(Errno::ECHILD) => break,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("waitid", errno)),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => say(format_args!("{n} children ended, ECHILD")),
    }
}
