//! Refused by step 1 (one). Replaces src/one.rs.
//! EINTR is passed on like any other error. It never happens in a quick try, so the program looks right,
//! until a signal arrives while it waits.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

pub fn run(code: u8) -> Result {
    let child = spawn(|| i32::from(code))?;
    let status = wait_for(child, None).named("waitpid")?;
    say(format_args!("child {child} exited with {}", exit_code(status)?))
}

pub fn exit_code(status: WaitStatus) -> Result<i32> {
    match status {
        WaitStatus::Exited(_, code) => Ok(code),
        other => Err(Error::Child(other)),
    }
}

pub fn wait_for(child: impl Into<Option<Pid>>, options: Option<WaitPidFlag>) -> nix::Result<WaitStatus> {
    waitpid(child, options)
}
