//! A connection: what its client is owed, and what it waits for next. Steps 5 and 6 are solved here, for all servers.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};
use nix::unistd::read;

use crate::retry;

/// A client that is owed this much is read no further until it has taken some of it.
pub const BOUND: usize = 256 * 1024;

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    pub read: bool,
    pub write: bool,
}

impl Wants {
    /// To be read, or else nothing.
    pub fn reading(read: bool) -> Wants {
        Wants { read, write: false }
    }
}

/// What came of a read.
pub enum Received {
    /// So many bytes, at the front of the buffer.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Nothing, and there will be nothing more.
    End,
}

/// How a client stops sending.
#[derive(PartialEq, Eq)]
pub enum HangUp {
    /// It has said so (`read` returned 0). It may well go on reading.
    EndOfInput,
    /// The connection is broken: it has been reset, or the network has given it up.
    Reset,
}

/// A client's socket, which never blocks. While it is idle it takes no memory but this.
pub struct Conn {
    socket: OwnedFd,
    peer: SocketAddr,
    /// What was to be sent and the kernel has not taken yet, oldest first.
    owed: VecDeque<u8>,
    /// How much the kernel has taken.
    written: u64,
    /// Nothing more is to be read.
    ended: bool,
}

impl Conn {
    /// A connection that has just been accepted; its socket does not block.
    pub fn new(socket: OwnedFd, peer: SocketAddr) -> Conn {
        Conn {
            socket,
            peer,
            owed: VecDeque::new(),
            written: 0,
            ended: false,
        }
    }

    /// Who the client is.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How many bytes the kernel has taken for it.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes it is owed.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Whether nothing is left to be done for this client.
    pub fn is_over(&self) -> bool {
        self.ended && self.owed.is_empty()
    }

    // ANCHOR: wants
    /// What this connection waits for now. An interest that it has no use for would wake the server again and again.
    pub fn wants(&self) -> Wants {
        if self.owed.is_empty() {
            return Wants::reading(!self.ended);
        }
        Wants {
            read: !self.ended && self.owed.len() < BOUND,
            write: true,
        }
    }
    // ANCHOR_END: wants

    /// Sends what has been received back: one read, and at once one write. (To wait until the socket is reported
    /// writable would cost a turn of the loop, and nearly always it is.)
    pub fn echo(&mut self, buffer: &mut [u8]) -> Received {
        let received = self.receive(buffer);
        if let Received::Bytes(n) = received {
            self.send(&buffer[..n]);
        }
        received
    }

    /// Reads once.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        match retry(|| read(&self.socket, buffer)) {
            Ok(0) => self.hang_up(HangUp::EndOfInput),
            Ok(n) => return Received::Bytes(n),
            Err(Errno::EAGAIN) => return Received::Nothing,
            // Whatever it is, it is this client's error and not the server's.
            Err(_) => self.hang_up(HangUp::Reset),
        }
        Received::End
    }

    /// Sends these bytes after all that is owed; what the kernel does not take is owed, too.
    pub fn send(&mut self, fresh: &[u8]) {
        let taken = match self.owed.is_empty() {
            true => give(&self.socket, fresh),
            false => Ok(0),
        };
        match taken {
            Ok(n) => {
                self.written += n as u64;
                self.owed.extend(&fresh[n..]);
            }
            Err(_) => self.hang_up(HangUp::Reset),
        }
    }

    /// Sends what is owed, until nothing is left or the kernel takes no more. Called when the socket is writable again.
    pub fn pay(&mut self) {
        // It is a ring: the oldest bytes go without moving the others, but may lie in two pieces.
        while let (oldest @ [_, ..], _) = self.owed.as_slices() {
            let len = oldest.len();
            let Ok(n) = give(&self.socket, oldest) else {
                return self.hang_up(HangUp::Reset);
            };
            self.written += n as u64;
            self.owed.drain(..n);
            if n < len {
                return;
            }
        }
        // An idle connection keeps no buffer.
        self.owed = VecDeque::new();
    }

    /// Notes that the client will send nothing more.
    pub fn hang_up(&mut self, how: HangUp) {
        // Who has only stopped sending still gets what it is owed; of who is gone, nothing more can be wanted.
        if how == HangUp::Reset {
            self.owed = VecDeque::new();
        }
        self.ended = true;
    }

    /// Says that nothing more will be sent. The other direction stays open.
    pub fn finish(&mut self) {
        if shutdown(self.socket.as_raw_fd(), Shutdown::Write).is_err() {
            self.hang_up(HangUp::Reset);
        }
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Writes once; returns how much the kernel has taken, maybe nothing. `MSG_NOSIGNAL`: a client that has gone away is
/// told by EPIPE then, and not by SIGPIPE, which would end the server (it is there for the sake of stdout).
fn give(socket: &OwnedFd, bytes: &[u8]) -> nix::Result<usize> {
    match retry(|| send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)) {
        Err(Errno::EAGAIN) => Ok(0),
        taken => taken,
    }
}
