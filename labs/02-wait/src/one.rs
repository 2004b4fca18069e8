//! Step 1: a child exits with a code, and its parent learns the code by waiting.

#![expect(unused, reason = "delete this line when every TODO is done")]

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

/// Does what `waitpid` does, but never returns `EINTR`: that only says that a signal came first.
///
/// `child` is a pid, or `None` for whichever child is next. Every later step waits with this function.
pub fn wait_for(child: impl Into<Option<Pid>>, options: Option<WaitPidFlag>) -> nix::Result<WaitStatus> {
    let child = child.into();
    // TODO 1: call `waitpid(child, options)`, and return what it returns. `Err(Errno::EINTR)` is the exception:
    // a signal came before the child changed, so wait again, as often as it takes.
    // Output of `one 7`: `child 4711 exited with 7`, with the child's true pid.
    todo!("step 1: wait for the child")
}
