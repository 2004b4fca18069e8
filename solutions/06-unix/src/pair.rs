//! Step 7, pair: two sockets that are connected from birth, and need no name.

use std::os::fd::OwnedFd;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, read};

use crate::send::send;
use crate::{Error, Named, Result, retry, say};

/// How long a message is: `ping` or `pong`.
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

// ANCHOR: talk
/// Forks a child, and talks with it: the parent holds the first end, the child the second.
fn talk(ours: OwnedFd, theirs: OwnedFd) -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            // The end of input comes when the last descriptor of the other end is closed: this one is in the way.
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
// ANCHOR_END: talk

/// The parent asks, hears the answer, and hangs up by leaving this function.
fn parent(end: OwnedFd) -> Result {
    send(&end, b"ping")?;
    say(&[b"parent: ", &hear(&end)?])
}

/// The child hears, answers, and stays until the parent has hung up.
fn child(end: OwnedFd) -> Result {
    say(&[b"child: ", &hear(&end)?])?;
    send(&end, b"pong")?;
    // The end of input, and nothing else, can come now.
    retry(|| read(&end, &mut [0])).named("read")?;
    Ok(())
}

/// Reads one message. If the input ends before, the other side has failed, and has told why.
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

/// Waits until the child has ended, and reaps it. (Lab 2 explains this.)
fn reap(child: Pid) -> Result {
    match retry(|| waitpid(child, None)).named("waitpid")? {
        WaitStatus::Exited(_, 0) => Ok(()),
        _ => Err(Error::Told),
    }
}

/// Ends a child. `_exit`, because what is in the buffers and what waits to be dropped belong to the parent.
fn leave(done: Result) -> ! {
    let status = done.map_or_else(|error| error.tell(), |()| 0);
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(status.into()) }
}
