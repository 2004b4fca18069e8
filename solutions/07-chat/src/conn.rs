//! A connection of the stream server, and what its client is owed.

use std::fmt::{self, Display, Formatter};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::read;

use crate::lines::Lines;
use crate::retry;

/// Who is owed more than this reads too slowly, and is put out.
const BOUND: usize = 256 * 1024;

/// How much memory a member keeps in which to collect what it is owed. Without any, each message would be an
/// allocation.
const KEPT: usize = 256;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub fd: RawFd,
    pub addr: SocketAddr,
}

impl Display for Peer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

/// What came of a write.
#[derive(PartialEq, Eq)]
pub enum Paid {
    /// All is well, whether something is owed or not.
    Well,
    /// Nothing more is to be done for this client, or can be.
    Over,
}

/// A client's socket, which never blocks.
pub struct Conn {
    socket: OwnedFd,
    pub peer: Peer,
    /// The line that has begun.
    pub lines: Lines,
    /// What is to be sent and the kernel has not taken yet.
    owed: Vec<u8>,
    /// It is on the list of those who are due.
    pub listed: bool,
    /// The kernel takes no more for now, and will tell when it does.
    full: bool,
    /// Nothing more is to be sent but what is owed, and nothing is heard.
    closing: bool,
    /// What the kernel has been asked to tell.
    watched: EpollFlags,
}

impl Conn {
    pub fn new(socket: OwnedFd, addr: SocketAddr) -> Conn {
        let fd = socket.as_raw_fd();
        Conn {
            socket,
            peer: Peer { fd, addr },
            lines: Lines::default(),
            owed: Vec::new(),
            listed: false,
            full: false,
            closing: false,
            watched: EpollFlags::EPOLLIN,
        }
    }

    /// Reads once. 0: nothing will come any more.
    pub fn receive(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        retry(|| read(&self.socket, buffer))
    }

    /// Whether it is heard no more.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Adds to what it is owed. Who has been told the last word gets no other.
    pub fn owe(&mut self, message: &[u8]) {
        if !self.closing {
            self.owed.extend_from_slice(message);
        }
    }

    /// What it is owed now was the last word.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The kernel takes more again.
    pub fn set_writable(&mut self) {
        self.full = false;
    }

    /// What it waits for, if that is something else than the kernel has been asked to tell. An interest that there
    /// is no use for would wake us again and again.
    pub fn new_interest(&mut self) -> Option<EpollFlags> {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, !self.closing);
        flags.set(EpollFlags::EPOLLOUT, self.full);
        let before = mem::replace(&mut self.watched, flags);
        (before != flags).then_some(flags)
    }

    // ANCHOR: pay
    /// Sends all that is owed, in one write. What the kernel does not take stays owed; but there is a bound.
    pub fn pay(&mut self) -> Paid {
        if !self.owed.is_empty() && !self.full {
            // MSG_NOSIGNAL: that the client has gone is told by EPIPE then, and not by SIGPIPE.
            match retry(|| send(self.socket.as_raw_fd(), &self.owed, MsgFlags::MSG_NOSIGNAL)) {
                Ok(taken) => drop(self.owed.drain(..taken)),
                Err(Errno::EAGAIN) => {}
                Err(_) => return Paid::Over,
            }
            self.full = !self.owed.is_empty();
        }
        if self.owed.is_empty() && self.owed.capacity() > KEPT {
            self.owed = Vec::new();
        }
        let done = self.closing && self.owed.is_empty();
        if done || self.owed.len() > BOUND {
            return Paid::Over;
        }
        Paid::Well
    }
    // ANCHOR_END: pay
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
