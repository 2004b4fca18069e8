//! Refused by step 6 (faults). Replaces src/listener.rs.
//! A backlog of 5, as in the first examples that one meets: it was large once. As long as everybody is let in at once nobody
//! notices; when descriptors have run out, the seventh who waits knocks in vain, again and again.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrLike, SockaddrStorage, bind, getsockname, listen,
    setsockopt, socket, sockopt,
};

use crate::{Named, Result, retry};

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 5;

/// A socket that clients connect to. It never blocks: a client that has gone again must not hold up an accept.
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
        // Or the port could not be had again while connections of an earlier run are in TIME_WAIT.
        setsockopt(&fd, sockopt::ReuseAddr, &true).named("setsockopt")?;
        // Small messages are sent at once, and not kept until the last one has been acknowledged (Nagle's algorithm).
        // On Linux the accepted sockets take this over from the listener: one call for all of them.
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
        // SAFETY: all zeros is a valid `sockaddr_storage`, of family AF_UNSPEC.
        let mut addr: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let (at, flags) = (&raw mut addr, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC);
        let mut len = 0;
        let fd = retry(|| {
            len = size_of_val(&addr) as libc::socklen_t;
            // SAFETY: `at` and `len` are ours, and `len` says how much may be written to `at`.
            Errno::result(unsafe { libc::accept4(self.0.as_raw_fd(), at.cast(), &mut len, flags) })
        })?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the kernel has written an address of `len` bytes there, its family included.
        let addr = unsafe { SockaddrStorage::from_raw(at.cast(), Some(len)) };
        Ok((socket, socket_addr(&addr.ok_or(Errno::EINVAL)?)?))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket_addr(addr: &SockaddrStorage) -> nix::Result<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    let v6 = || addr.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6));
    v4.or_else(v6).ok_or(Errno::EAFNOSUPPORT)
}

/// A descriptor that becomes readable when SIGINT or SIGTERM comes. Blocked, these wait there until they are asked for,
/// so that one call sleeps for clients and signals alike, and none of them comes between a look and a sleep.
pub fn signals() -> Result<SignalFd> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ends.thread_block().named("sigprocmask")?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).named("signalfd")
}
