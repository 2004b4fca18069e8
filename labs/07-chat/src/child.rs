//! A child that works for us, and a socket pair to it: lab 6 taught that. This file is complete.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Named, Result, retry};

/// A child of ours. When this is dropped, its fields are, in this order: our end of the pair is closed, by which the
/// child knows that it is to end, and then the child is reaped.
pub struct Child {
    pair: OwnedFd,
    _process: Process,
}

/// A process that is reaped when this is dropped.
struct Process(Pid);

/// Forks a child that does this work with its end of the pair, and ends. SOCK_SEQPACKET keeps the borders of what is
/// sent.
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
            pair: ours,
            _process: Process(child),
        }),
    }
}

impl Child {
    /// Waits for what the child hands over next; returns how long it is. 0: it has hung up, and ends.
    pub fn hear(&self, buffer: &mut [u8]) -> Result<usize> {
        retry(|| recv(self.pair.as_raw_fd(), buffer, MsgFlags::empty())).named("recv")
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pair.as_fd()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails only if there is no child, and then none is left behind.
        let _ = retry(|| waitpid(self.0, None));
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
