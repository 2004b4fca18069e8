//! Addresses, out of what the kernel writes. This file is complete.

use std::net::SocketAddr;

use nix::errno::Errno;
use nix::sys::socket::SockaddrStorage;

/// The address and port that an address of the kernel's stands for.
pub fn socket_addr(addr: &SockaddrStorage) -> nix::Result<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    let v6 = || addr.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6));
    v4.or_else(v6).ok_or(Errno::EAFNOSUPPORT)
}
