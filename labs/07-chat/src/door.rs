//! The door: who is let in to the stream server, and what happens when nobody can be. This file is complete; lab 4
//! taught it.

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::conn::Conn;
use crate::conns::Conns;
use crate::listener::Listener;
use crate::poller::Poller;
use crate::{Named, Result};

/// How many clients are let in at most before the others get their turn.
const ACCEPTS: usize = 256;

/// How long to wait for a descriptor when none of ours can become free, in milliseconds.
const PAUSE: u16 = 1000;

pub struct Door {
    listener: Listener,
    /// False after descriptors have run out, until one is free again.
    open: bool,
}

impl Door {
    pub fn new(addr: SocketAddr) -> Result<Door> {
        Ok(Door {
            listener: Listener::bind(addr)?,
            open: true,
        })
    }

    /// Where it is.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.address()
    }

    /// How long to sleep at most. No limit as a rule; only when descriptors have run out and not one is ours to close,
    /// nothing would ever tell that there is one again.
    pub fn timeout(&self, empty: bool) -> Option<u16> {
        (!self.open && empty).then_some(PAUSE)
    }

    /// Lets in who waits.
    pub fn accept(&mut self, poller: &Poller, conns: &mut Conns) -> Result {
        self.open(poller)?;
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((socket, addr)) => {
                    let conn = Conn::new(socket, addr);
                    // If there is no room on the list (max_user_watches), nobody would hear it: then it is closed.
                    if poller.watch(&conn).is_ok() {
                        conns.insert(conn);
                    }
                }
                Err(Errno::EAGAIN) => break,
                // Out of descriptors or memory. The client stays in the backlog, and the listener would be ready for
                // ever.
                Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                    return self.shut(poller);
                }
                // That client had gone already, or its network; see accept(2). The next may be there.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A descriptor is free: who waits can be let in again.
    pub fn open(&mut self, poller: &Poller) -> Result {
        if mem::replace(&mut self.open, true) {
            return Ok(());
        }
        poller.change(&self.listener, EpollFlags::EPOLLIN)
    }

    fn shut(&mut self, poller: &Poller) -> Result {
        self.open = false;
        poller.change(&self.listener, EpollFlags::empty())
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// Lets us have as many descriptors as we may have. The soft limit is low for the sake of programs on select(2).
pub fn raise_limit() -> Result {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).named("getrlimit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).named("setrlimit")
}
