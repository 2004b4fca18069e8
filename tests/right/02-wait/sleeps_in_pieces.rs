//! Right for step 3 (first). Replaces src/spawn.rs.
//! The children sleep in pieces of 50 ms, in ppoll(2) with nothing to poll.

use nix::errno::Errno;
use nix::libc;
use nix::poll::ppoll;
use nix::sys::time::TimeSpec;
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Named, Result};

/// How long each of the three children of steps 2 and 3 sleeps, in milliseconds. Child I exits with I.
const SLEEPS: [u64; 3] = [300, 100, 200];

/// Forks a child that does `work` and exits with the code that `work` returns.
pub fn spawn(work: impl FnOnce() -> i32) -> Result<Pid> {
    // SAFETY: this program never starts a thread, so no thread that the child lacks can hold a lock.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => exit(work()),
    }
}

/// Ends a child. `_exit`, because what is in the buffers and what waits to be dropped belong to the parent.
pub fn exit(code: i32) -> ! {
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(code) }
}

/// Forks the three children of steps 2 and 3, and returns them in order of birth.
pub fn three() -> Result<Vec<Pid>> {
    (1..)
        .zip(SLEEPS)
        .map(|(code, millis)| spawn(|| nap(millis, code)))
        .collect()
}

/// Sleeps and returns the code to exit with. A piece that a signal has cut short is slept once more.
pub fn nap(millis: u64, code: i32) -> i32 {
    let piece = TimeSpec::new(0, 50_000_000);
    for _ in 0..millis / 50 {
        while ppoll(&mut [], Some(piece), None) == Err(Errno::EINTR) {}
    }
    code
}
