//! Right for step 1 (one). Replaces src/one.rs.
//! Forks by hand, and asks waitid(2), which fills a siginfo_t in place of the status word.

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::spawn::exit;
use crate::{Error, Named, Result, say};

pub fn run(code: u8) -> Result {
    // SAFETY: this program never starts a thread, so no thread that the child lacks can hold a lock.
    let child = match unsafe { fork() }.named("fork")? {
        ForkResult::Child => exit(code.into()),
        ForkResult::Parent { child } => child,
    };
    let code = exit_code(wait_for(child, None).named("waitid")?)?;
    say(format_args!("child {child} exited with {code}"))
}

pub fn exit_code(status: WaitStatus) -> Result<i32> {
    if let WaitStatus::Exited(_, code) = status {
        Ok(code)
    } else {
        Err(Error::Child(status))
    }
}

pub fn wait_for(child: impl Into<Option<Pid>>, options: Option<WaitPidFlag>) -> nix::Result<WaitStatus> {
    let child = child.into();
    let id = || child.map_or(Id::All, Id::Pid);
    let options = options.unwrap_or(WaitPidFlag::empty()) | WaitPidFlag::WEXITED;
    let mut status = waitid(id(), options);
    while status == Err(Errno::EINTR) {
        status = waitid(id(), options);
    }
    status
}
