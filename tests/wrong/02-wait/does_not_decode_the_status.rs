//! Refused by step 1 (one). Replaces src/one.rs.
//! The number that waitpid fills in is printed as the code. It is a word of several parts: the code stands in
//! its second byte, so that 7 comes out as 1792, and only 0 is right.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

pub fn run(code: u8) -> Result {
    let child = spawn(|| i32::from(code))?;
    let mut status = 0;
    // SAFETY: `status` outlives the call, which writes nothing else.
    while unsafe { nix::libc::waitpid(child.as_raw(), &mut status, 0) } < 0 {
        if Errno::last() != Errno::EINTR {
            return Err(Errno::last()).named("waitpid");
        }
    }
    say(format_args!("child {child} exited with {status}"))
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
