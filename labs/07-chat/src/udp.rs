//! The server's UDP socket. What makes it more than a socket: it gets to know which of those it sends to are gone.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, getsockname,
    recvfrom, recvmsg, sendto, setsockopt, socket, sockopt,
};

use crate::addr::socket_addr;
use crate::room::Post;
use crate::{Named, Result, drops, retry};

/// How much may wait to be received. The kernel cuts it to `net.core.rmem_max`, and doubles it: see socket(7).
pub const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// How many errors one send may be in the way of. (Each is another peer's, and comes once.)
const ERRORS: usize = 64;

pub struct Udp {
    socket: OwnedFd,
    /// How many messages the kernel has not taken.
    refused: u64,
    /// Who is gone, as far as the error queue has told and nobody has acted on it yet.
    gone: Vec<SocketAddr>,
}

impl Udp {
    /// A socket with this address, which does not block; port 0 stands for a free one.
    pub fn bind(addr: SocketAddr) -> Result<Udp> {
        // TODO 1: make the server's socket, and give it its address.
        //   `socket`: the family is the address's (Inet or Inet6), the type Datagram. It must neither block nor
        //     survive an exec: two flags say so from the first moment
        //   `setsockopt` with `sockopt::RcvBuf`: RECEIVE_BUFFER. What comes while we are busy waits there, or is lost.
        //   `ask_for_errors`: step 7 will need it
        //   `bind`; the address goes in as a `SockaddrStorage`
        //   each call that fails has its name: `.named("bind")?`
        //   -> for 127.0.0.1:0 a Udp with nothing refused and nobody gone; its `address()` has the port that the
        //     kernel chose
        //   -> for an address in use: Err(Error::Call("bind", Errno::EADDRINUSE))
        todo!("step 1: a UDP socket with an address")
    }

    /// Its address, with the true port.
    pub fn address(&self) -> Result<SocketAddr> {
        let addr: SockaddrStorage = getsockname(self.socket.as_raw_fd()).named("getsockname")?;
        socket_addr(&addr).named("getsockname")
    }

    /// Receives a message; returns how long it is, and who sent it. None: there is none, or it had no sender.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        match retry(|| recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), buffer)) {
            Ok((len, from)) => Some((len, socket_addr(&from?).ok()?)),
            Err(Errno::EAGAIN) => None,
            Err(_) => {
                // It is not this call's error, but what became of a send.
                self.read_errors();
                None
            }
        }
    }

    /// Notes who is gone. The kernel keeps an error with the address that the message was for: who is gone is told by
    /// that, and by nothing else. Returns whether there was any error.
    pub fn read_errors(&mut self) -> bool {
        let mut any = false;
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = self.socket.as_raw_fd();
        loop {
            let error = match recvmsg::<SockaddrStorage>(fd, &mut [], Some(&mut space), flags) {
                Err(Errno::EINTR) => continue,
                Err(_) => return any,
                Ok(error) => error,
            };
            // TODO 7: an error of the queue: what became of a message that was sent some time ago.
            //   `error.cmsgs()` holds what the error is, and `is_refusal` knows which one means that somebody is gone
            //   `error.address` is where the message went: if it was refused, that is who is gone (`self.gone`).
            //     Neither the peer that is being sent to, nor the one that was heard last
            //   there was an error: `any`
            //   -> after a message to a closed port of 127.0.0.1: its address in `self.gone`, and true
            todo!("step 7: who is gone")
        }
    }

    /// Somebody who is gone, as far as the kernel knows by now.
    pub fn next_gone(&mut self) -> Option<SocketAddr> {
        self.read_errors();
        self.gone.pop()
    }

    /// How many messages were lost here: dropped by our socket before we received them, or refused when we sent them.
    pub fn lost(&self) -> u64 {
        self.refused + drops(&self.socket)
    }
}

impl Post<SocketAddr> for Udp {
    /// Sends a datagram. What an earlier one has met comes out of this call, and then this one has not been sent: it is
    /// sent again.
    fn send(&mut self, to: SocketAddr, message: &str) {
        // A datagram has an end of its own.
        let message = message.trim_end_matches('\n').as_bytes();
        let to_addr = SockaddrStorage::from(to);
        for _ in 0..ERRORS {
            let fd = self.socket.as_raw_fd();
            match retry(|| sendto(fd, message, &to_addr, MsgFlags::empty())) {
                Ok(_) => return,
                // TODO 7: this message has not been sent. Was it this one that failed?
                //   what an earlier one has met comes out of this call: then there is something in the error queue
                //     (`self.read_errors`), or it is ECONNREFUSED, which no send meets by itself. Send this one again
                //   any other error is this one's own: it is lost, and counted below
                //   -> while one of three members is gone, the two others get everything
                Err(errno) => todo!("step 7: send again what has not been sent"),
            }
        }
        self.refused += 1;
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks the kernel to keep what becomes of the messages that are sent: see ip(7), IP_RECVERR.
fn ask_for_errors(socket: &OwnedFd, addr: SocketAddr) -> Result {
    if addr.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true).named("setsockopt")?;
    }
    // On a socket of IPv6, too: it may talk with IPv4, under mapped addresses.
    setsockopt(socket, sockopt::Ipv4RecvErr, &true).named("setsockopt")
}

fn is_refusal(control: ControlMessageOwned) -> bool {
    use ControlMessageOwned::{Ipv4RecvErr, Ipv6RecvErr};
    matches!(control, Ipv4RecvErr(error, _) | Ipv6RecvErr(error, _) if error.ee_errno == libc::ECONNREFUSED as u32)
}
