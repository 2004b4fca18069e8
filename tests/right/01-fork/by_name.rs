//! Right for step 6 (family). Replaces src/family.rs.
//! The parent keeps the ids of its children, and waits for each by its id, in order of birth.

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid};

use crate::{Error, Named, Result, leave, say};

pub fn run(n: u8) -> Result {
    let mut children = Vec::with_capacity(n.into());
    let made = (1..=n).try_for_each(|i| birth(i).map(|child| children.push(child)));
    // All are reaped, also after a fork that failed or a child that did.
    let reaped = children
        .iter()
        .map(|&child| reap(child))
        .fold(Ok(()), Result::and);
    made.and(reaped)?;
    say(format_args!("parent: {} children", children.len()))
}

/// Makes child number `i`. Only the parent returns from here.
fn birth(i: u8) -> Result<Pid> {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(say(format_args!("child {i}: pid {}", getpid()))),
        ForkResult::Parent { child } => Ok(child),
    }
}

/// Waits until this child has ended.
fn reap(child: Pid) -> Result {
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Ok(_) => return Err(Error::Child),
            Err(errno) => return Err(errno).named("waitpid"),
        }
    }
}
