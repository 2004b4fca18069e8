//! Right for step 7 (pair). Replaces src/pair.rs.
//! A pipe for each direction: four ends, of which each process closes two.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, read, write};

use crate::{Error, Named, Result, retry, say};

const MESSAGE: usize = 4;

pub fn run() -> Result {
    let (asked, ask) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    let (answered, answer) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    talk((answered, ask), (asked, answer))
}

fn talk(ours: (OwnedFd, OwnedFd), theirs: (OwnedFd, OwnedFd)) -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(ours);
            leave(child(theirs))
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let talked = parent(ours);
            let ended = reap(child);
            talked.and(ended)
        }
    }
}

fn parent((answered, ask): (OwnedFd, OwnedFd)) -> Result {
    send(&ask, b"ping")?;
    say(&[b"parent: ", &hear(&answered)?])
}

fn child((asked, answer): (OwnedFd, OwnedFd)) -> Result {
    say(&[b"child: ", &hear(&asked)?])?;
    send(&answer, b"pong")?;
    retry(|| read(&asked, &mut [0])).named("read")?;
    Ok(())
}

fn hear(end: &OwnedFd) -> Result<[u8; MESSAGE]> {
    let (mut message, mut len) = ([0; MESSAGE], 0);
    while len < MESSAGE {
        match retry(|| read(end, &mut message[len..])).named("read")? {
            0 => return Err(Error::Told),
            n => len += n,
        }
    }
    Ok(message)
}

fn send(pipe: &OwnedFd, message: &[u8]) -> Result {
    // So few bytes go into a pipe at once or not at all.
    retry(|| write(pipe, message)).named("write")?;
    Ok(())
}

fn reap(child: Pid) -> Result {
    match retry(|| waitpid(child, None)).named("waitpid")? {
        WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(Error::Told),
    }
}

fn leave(done: Result) -> ! {
    let status = done.map_or_else(|error| error.tell(), |()| 0);
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(status.into()) }
}
