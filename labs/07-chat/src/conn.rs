//! A connection of the stream server, and what its client is owed.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::fmt::{self, Display, Formatter};
use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::read;

use crate::lines::Lines;
use crate::retry;

/// Who is owed more than this reads too slowly, and is put out.
const BOUND: usize = 256 * 1024;

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
    /// What is to be sent after that, as a part of what is said in this turn. All get the same, as a rule: so nothing is
    /// copied for each of them.
    said: Range<usize>,
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
            said: 0..0,
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
    pub fn owe(&mut self, message: &[u8], said: &[u8]) {
        if !self.closing {
            self.owed.extend_from_slice(&said[mem::take(&mut self.said)]);
            self.owed.extend_from_slice(message);
        }
    }

    /// Adds what was said to all in this turn, from there on.
    pub fn owe_said(&mut self, from: usize, said: &[u8]) {
        if self.closing {
            return;
        }
        if self.said.end != from {
            // What was said in between is not for this one.
            self.owe(&[], said);
            self.said.start = from;
        }
        self.said.end = said.len();
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

    /// Sends all that is due, in one write. What the kernel does not take stays owed; but there is a bound.
    pub fn pay(&mut self, said: &[u8]) -> Paid {
        let said = &said[mem::take(&mut self.said)];
        // TODO 8: send what is owed and then `said`, in one write, and say whether we are done with this client.
        //   is nothing owed? `self.send` takes it from `said`, where it is; only what the kernel has not taken is owed
        //     from then on
        //   is something owed? `said` comes behind it; `self.send` all of that. What the kernel has taken is owed no
        //     more (`drain`)
        //   if something is still owed then, it is `full`, until `set_writable`; if not, let the memory go: an idle
        //     member is to take little
        //   Paid::Over: it could not be sent (the client is gone); or it is `closing`, and nothing is owed any more; or
        //     more than BOUND is owed
        //   -> owed "ab", said "cdef", of which the kernel takes 4: owed "ef", full, Paid::Well
        if !said.is_empty() || !self.owed.is_empty() || self.closing {
            todo!("step 8: send what is due")
        }
        Paid::Well
    }

    /// Returns how much of it the kernel takes.
    fn send(&self, bytes: &[u8]) -> nix::Result<usize> {
        if bytes.is_empty() || self.full {
            return Ok(0);
        }
        // MSG_NOSIGNAL: that the client has gone is told by EPIPE then, and not by SIGPIPE.
        match retry(|| send(self.socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)) {
            Err(Errno::EAGAIN) => Ok(0),
            sent => sent,
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
