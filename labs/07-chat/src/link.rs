//! A client's connection to the server: datagrams, or lines over a stream.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, connect, recv, send, setsockopt, socket,
    sockopt,
};

use crate::lines::Lines;
use crate::udp::RECEIVE_BUFFER;
use crate::{Error, Named, Result, drops, retry};

/// How much one call receives at most: no datagram is longer.
const BUFFER: usize = 64 * 1024;

pub struct Link {
    socket: OwnedFd,
    server: SocketAddr,
    stream: bool,
    /// What has been received and not been asked for yet.
    messages: VecDeque<Vec<u8>>,
    lines: Lines,
    /// What a stream has not taken yet.
    owed: Vec<u8>,
    /// How many datagrams the kernel has not taken.
    refused: u64,
    buffer: Box<[u8]>,
}

impl Link {
    /// A socket that talks with this server. Connecting a datagram socket sends nothing; but from then on it receives
    /// from the server only, and hears when nobody is there.
    pub fn connect(server: SocketAddr, stream: bool) -> Result<Link> {
        let family = match server {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let kind = if stream {
            SockType::Stream
        } else {
            SockType::Datagram
        };
        let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, None).named("socket")?;
        if stream {
            setsockopt(&socket, sockopt::TcpNoDelay, &true).named("setsockopt")?;
        } else {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER).named("setsockopt")?;
        }
        let link = Link {
            socket,
            server,
            stream,
            messages: VecDeque::new(),
            lines: Lines::default(),
            owed: Vec::new(),
            refused: 0,
            buffer: vec![0; BUFFER].into_boxed_slice(),
        };
        let addr = SockaddrStorage::from(server);
        // Interrupted, a blocking connect goes on; made again, it waits for the same end.
        match retry(|| connect(link.socket.as_raw_fd(), &addr)) {
            Err(errno) => Err(link.error("connect", errno)),
            Ok(()) => Ok(link),
        }
    }

    /// Sends a message. A stream that takes no more for now is owed the rest: see `flush`.
    pub fn send(&mut self, message: &[&[u8]]) -> Result {
        self.owed.extend(message.concat());
        if self.stream {
            self.owed.push(b'\n');
        }
        self.flush()
    }

    /// Sends what is owed, as far as it goes. A datagram goes, or it is lost.
    pub fn flush(&mut self) -> Result {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        while !self.owed.is_empty() {
            match retry(|| send(self.socket.as_raw_fd(), &self.owed, flags)) {
                Ok(n) => drop(self.owed.drain(..n)),
                Err(Errno::EAGAIN) if self.stream => return Ok(()),
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EPERM) => {
                    self.refused += 1;
                    self.owed.clear();
                }
                Err(errno) => return Err(self.error("send", errno)),
            }
        }
        Ok(())
    }

    /// Whether the server is owed something.
    pub fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Receives once, without waiting.
    pub fn receive(&mut self) -> Result {
        let fd = self.socket.as_raw_fd();
        let len = match retry(|| recv(fd, &mut self.buffer, MsgFlags::MSG_DONTWAIT)) {
            Ok(0) if self.stream => return Err(Error::HungUp(self.server)),
            Ok(len) => len,
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(self.error("recv", errno)),
        };
        let messages = &mut self.messages;
        let mut keep = |message: &[u8]| {
            messages.push_back(message.to_vec());
            Ok(())
        };
        if self.stream {
            self.lines.cut(&self.buffer[..len], keep)
        } else {
            keep(&self.buffer[..len])
        }
    }

    /// The next message that has been received, without the newlines around it: servers elsewhere may send some.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let message = self.messages.pop_front()?;
        let start = message.iter().position(|byte| *byte != b'\n').unwrap_or(0);
        let end = message
            .iter()
            .rposition(|byte| *byte != b'\n')
            .map_or(0, |last| last + 1);
        Some(message.get(start..end).unwrap_or_default().to_vec())
    }

    /// Who the server is.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// How many messages were lost here. On a stream none is: what its socket drops is sent again.
    pub fn lost(&self) -> u64 {
        if self.stream {
            return 0;
        }
        self.refused + drops(&self.socket)
    }

    /// What it means that a call on the socket has failed.
    fn error(&self, call: &'static str, errno: Errno) -> Error {
        match errno {
            // Nobody has that port open, or no way leads there.
            Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ETIMEDOUT => {
                Error::NoAnswer(self.server)
            }
            Errno::ECONNRESET | Errno::EPIPE if self.stream => Error::HungUp(self.server),
            errno => Error::Call(call, errno),
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
