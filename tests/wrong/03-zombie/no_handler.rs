//! Refused by step 5 (handler). Replaces src/handler.rs.
//! N children, N blocking waits, no signal anywhere: the output is right, and a program that has something
//! else to do meanwhile cannot be written like that.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::wait;
use nix::unistd::{ForkResult, fork, pipe2, read};

use crate::{Error, Named, Result, leave, retry, say};

pub fn run(n: usize) -> Result {
    let forked = fork_children(n);
    let mut reaped = 0;
    loop {
        match wait() {
            Ok(_) => reaped += 1,
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => break,
            Err(errno) => return Err(Error::Call("wait", errno)),
        }
    }
    forked?;
    say(format_args!("reaped {reaped}"))
}

/// Forks n children that end together: at a gate, which opens when main closes its by leaving this function.
fn fork_children(n: usize) -> Result {
    let (gate, key) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    for _ in 0..n {
        // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
        if let ForkResult::Child = unsafe { fork() }.named("fork")? {
            // A child that kept this end would keep the gate shut, for itself too.
            drop(key);
            leave(retry(|| read(&gate, &mut [0])).named("read").map(drop));
        }
    }
    Ok(())
}
