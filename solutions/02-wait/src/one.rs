//! Step 1: a child exits with a code, and its parent learns the code by waiting.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

/// Forks a child that exits with `code`, waits for it, and prints what the kernel says of its end.
pub fn run(code: u8) -> Result {
    let child = spawn(|| i32::from(code))?;
    let status = wait_for(child, None).named("waitpid")?;
    say(format_args!("child {child} exited with {}", exit_code(status)?))
}

/// The code that a child exited with. A child that did not exit has none: see step 5.
pub fn exit_code(status: WaitStatus) -> Result<i32> {
    match status {
        WaitStatus::Exited(_, code) => Ok(code),
        other => Err(Error::Child(other)),
    }
}

// ANCHOR: wait_for
/// Does what `waitpid` does, but never returns `EINTR`: that only says that a signal came first.
///
/// `child` is a pid, or `None` for whichever child is next. Every later step waits with this function.
pub fn wait_for(child: impl Into<Option<Pid>>, options: Option<WaitPidFlag>) -> nix::Result<WaitStatus> {
    let child = child.into();
    loop {
        match waitpid(child, options) {
            Err(Errno::EINTR) => continue,
            result => return result,
        }
    }
}
// ANCHOR_END: wait_for
