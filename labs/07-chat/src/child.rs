//! A child that works for us, and a socket pair to it: lab 6 taught that. This file is complete.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Named, Result, retry};

/// A child of ours. When this is dropped, the child is reaped.
pub struct Child {
    pid: Pid,
    /// Our end of the pair. It is closed before we wait: by that the child knows that it is to end.
    pair: Option<OwnedFd>,
}

/// Forks a child that does this work with its end of the pair, and ends. SOCK_SEQPACKET keeps the borders of what is sent.
pub fn start(work: impl FnOnce(OwnedFd) -> Result) -> Result<Child> {
    let (kind, flags) = (SockType::SeqPacket, SockFlag::SOCK_CLOEXEC);
    let (ours, theirs) = socketpair(AddressFamily::Unix, kind, None, flags).named("socketpair")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(ours);
            leave(work(theirs))
        }
        ForkResult::Parent { child } => Ok(Child {
            pid: child,
            pair: Some(ours),
        }),
    }
}

impl Child {
    /// Waits for what the child hands over next; returns how long it is. 0: it has hung up, and ends.
    pub fn hear(&self, buffer: &mut [u8]) -> Result<usize> {
        let pair = self.as_fd().as_raw_fd();
        retry(|| recv(pair, buffer, MsgFlags::empty())).named("recv")
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.pair {
            Some(pair) => pair.as_fd(),
            None => unreachable!("the pair is closed when the child is dropped"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.pair = None;
        // It fails only if there is no child, and then none is left behind.
        let _ = retry(|| waitpid(self.pid, None));
    }
}

/// Hands something over, in the child. False: nobody is there any more to take it.
pub fn hand_over(parent: &OwnedFd, what: &[u8]) -> bool {
    retry(|| send(parent.as_raw_fd(), what, MsgFlags::MSG_NOSIGNAL)).is_ok()
}

/// Ends a child. `_exit`, because what is in the buffers and what waits to be dropped belong to the parent.
fn leave(done: Result) -> ! {
    let status = done.map_or_else(|error| error.tell(), |()| 0);
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(status.into()) }
}
