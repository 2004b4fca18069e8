//! The stream server's connections, and what each is owed.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
use crate::room::Post;

/// Who is owed more than this reads too slowly, and is put out.
const BOUND: usize = 256 * 1024;

/// How much memory a member keeps in which to collect what it is owed. Without any, each message would be an allocation.
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
    listed: bool,
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

    /// The kernel takes more again.
    pub fn set_writable(&mut self) {
        self.full = false;
    }

    /// What it waits for, if that is something else than the kernel has been asked to tell. An interest that there is no
    /// use for would wake us again and again.
    pub fn new_interest(&mut self) -> Option<EpollFlags> {
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, !self.closing);
        flags.set(EpollFlags::EPOLLOUT, self.full);
        let before = mem::replace(&mut self.watched, flags);
        (before != flags).then_some(flags)
    }

    /// Sends all that is owed, in one write. What the kernel does not take stays owed; but there is a bound.
    pub fn pay(&mut self) -> Paid {
        // TODO 8: send all that is owed, in one write, and say whether we are done with this client.
        //   nothing to be written: nothing is owed, or the kernel has said that it takes no more (`full`)
        //   else `send`, once, with MSG_NOSIGNAL. What the kernel has taken is owed no more (`drain`). EAGAIN: it took nothing.
        //     Any other error: the client is gone, Paid::Over
        //   if something is still owed then, it is `full`, until `set_writable`
        //   nothing is owed: more memory than KEPT is let go of; an idle member is to take little
        //   Paid::Over, too: more than BOUND is owed; or it is `closing`, and nothing is owed any more
        //   -> owed "abcdef", of which the kernel takes 4: owed "ef", full, Paid::Well
        if !self.owed.is_empty() || self.closing {
            todo!("step 8: send what is owed")
        }
        Paid::Well
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// All connections, by descriptor: the kernel gives out the lowest number that is free, so there are few holes.
#[derive(Default)]
pub struct Conns {
    table: Vec<Option<Conn>>,
    open: usize,
    /// Who has something coming, or is to be closed: each of them once.
    due: Vec<RawFd>,
}

impl Conns {
    pub fn insert(&mut self, conn: Conn) {
        let at = conn.peer.fd as usize;
        if self.table.len() <= at {
            self.table.resize_with(at + 1, || None);
        }
        self.open += 1;
        self.table[at] = Some(conn);
    }

    /// The connection with this descriptor, if there is one.
    pub fn get(&mut self, fd: RawFd) -> Option<&mut Conn> {
        self.table.get_mut(fd as usize)?.as_mut()
    }

    /// Closes a connection.
    pub fn remove(&mut self, fd: RawFd) {
        let place = self.table.get_mut(fd as usize);
        self.open -= usize::from(place.and_then(Option::take).is_some());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Puts a client on the list of those who are due.
    pub fn list(&mut self, fd: RawFd) {
        if let Some(Some(conn)) = self.table.get_mut(fd as usize)
            && !mem::replace(&mut conn.listed, true)
        {
            self.due.push(fd);
        }
    }

    /// Moves those who are due to an empty list, and is ready to note others.
    pub fn take_due(&mut self, due: &mut Vec<RawFd>) {
        mem::swap(&mut self.due, due);
        for fd in due {
            if let Some(conn) = self.get(*fd) {
                conn.listed = false;
            }
        }
    }
}

impl Post<Peer> for Conns {
    /// Notes what is to be sent. It goes out at the end of the turn, with all else that comes together until then.
    fn send(&mut self, to: Peer, message: &str) {
        if let Some(Some(conn)) = self.table.get_mut(to.fd as usize)
            && !conn.closing
        {
            conn.owed.extend_from_slice(message.as_bytes());
            if !mem::replace(&mut conn.listed, true) {
                self.due.push(to.fd);
            }
        }
    }

    fn close(&mut self, peer: Peer) {
        if let Some(conn) = self.get(peer.fd) {
            conn.closing = true;
        }
        self.list(peer.fd);
    }
}
