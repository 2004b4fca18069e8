//! Refused by step 1 (one). Replaces src/one.rs.
//! The line is printed first and the child waited for afterwards, to make sure that it does not stay a
//! zombie. The child has not exited yet when the line says that it has.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

pub fn run(code: u8) -> Result {
    let child = spawn(|| i32::from(code))?;
    say(format_args!("child {child} exited with {code}"))?;
    let status = wait_for(child, None).named("waitpid")?;
    exit_code(status).map(drop)
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
