//! Refused by step 7 (pair). Replaces src/pair.rs.
//! Every error of `read` ends the talk, and `EINTR` looks like one. It says only that a signal came; call
//! again.

use std::os::fd::OwnedFd;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, read};

use crate::send::send;
use crate::{Error, Named, Result, retry, say};

const MESSAGE: usize = 4;

pub fn run() -> Result {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .named("socketpair")?;
    talk(ours, theirs)
}

fn talk(ours: OwnedFd, theirs: OwnedFd) -> Result {
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

fn parent(end: OwnedFd) -> Result {
    send(&end, b"ping")?;
    say(&[b"parent: ", &hear(&end)?])
}

fn child(end: OwnedFd) -> Result {
    say(&[b"child: ", &hear(&end)?])?;
    send(&end, b"pong")?;
    retry(|| read(&end, &mut [0])).named("read")?;
    Ok(())
}

fn hear(end: &OwnedFd) -> Result<[u8; MESSAGE]> {
    let (mut message, mut len) = ([0; MESSAGE], 0);
    while len < MESSAGE {
        match read(end, &mut message[len..]).named("read")? {
            0 => return Err(Error::Told),
            n => len += n,
        }
    }
    Ok(message)
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
