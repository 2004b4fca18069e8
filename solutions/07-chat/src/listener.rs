//! The socket that clients of the stream server connect to. This file is complete; lab 4 taught it.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, accept4, bind, getpeername, getsockname,
    listen, setsockopt, socket, sockopt,
};

use crate::addr::socket_addr;
use crate::{Named, Result, retry};

/// How many clients may wait to be accepted. The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// It never blocks: a client that has gone again must not hold up an accept.
pub struct Listener(OwnedFd);

impl Listener {
    /// Makes a socket that listens at this address; port 0 stands for a free one.
    pub fn bind(addr: SocketAddr) -> Result<Listener> {
        let family = match addr {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(family, SockType::Stream, flags, None).named("socket")?;
        setsockopt(&fd, sockopt::ReuseAddr, &true).named("setsockopt")?;
        // The accepted sockets take this over.
        setsockopt(&fd, sockopt::TcpNoDelay, &true).named("setsockopt")?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(addr)).named("bind")?;
        listen(&fd, Backlog::new(BACKLOG).named("listen")?).named("listen")?;
        Ok(Listener(fd))
    }

    /// Where it listens, with the true port.
    pub fn address(&self) -> Result<SocketAddr> {
        let addr: SockaddrStorage = getsockname(self.0.as_raw_fd()).named("getsockname")?;
        socket_addr(&addr).named("getsockname")
    }

    /// Accepts one client, whose socket does not block either; `EAGAIN`: nobody waits.
    pub fn accept(&self) -> nix::Result<(OwnedFd, SocketAddr)> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = retry(|| accept4(self.0.as_raw_fd(), flags))?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        match getpeername::<SockaddrStorage>(fd) {
            Ok(addr) => Ok((socket, socket_addr(&addr)?)),
            // It has gone again, as some do before they are accepted.
            Err(_) => Err(Errno::ECONNABORTED),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
