//! Refused by step 1 (one). Replaces src/one.rs.
//! The parent has told the child what to exit with, so it prints that and does not even ask for the status.
//! Right as long as nothing goes wrong: a child that was killed has "exited with" the same code.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

pub fn run(code: u8) -> Result {
    let child = spawn(|| i32::from(code))?;
    // SAFETY: waitpid allows a null pointer, for a caller that does not want the status.
    while unsafe { nix::libc::waitpid(child.as_raw(), std::ptr::null_mut(), 0) } < 0 {
        if Errno::last() != Errno::EINTR {
            return Err(Errno::last()).named("waitpid");
        }
    }
    say(format_args!("child {child} exited with {code}"))
}

pub fn exit_code(status: WaitStatus) -> Result<i32> {
    match status {
        WaitStatus::Exited(_, code) => Ok(code),
        other => Err(Error::Child(other)),
    }
}

pub fn wait_for(child: impl Into<Option<Pid>>, options: Option<WaitPidFlag>) -> nix::Result<WaitStatus> {
    let child = child.into();
    loop {
        match waitpid(child, options) {
            Err(Errno::EINTR) => continue,
            result => return result,
        }
    }
}
