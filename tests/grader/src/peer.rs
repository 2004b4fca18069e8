//! A peer of the program under judgement: the check's own end of a stream socket. It never blocks.

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt,
        shutdown, socket, sockopt,
    },
};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

/// How the other side ended the conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerEnd {
    /// In order: after what it had sent came the end.
    Finished,
    /// With a reset: the connection is gone, and what was under way with it.
    Reset,
}

/// One connection, from the check's side.
pub struct Peer {
    socket: OwnedFd,
    address: SocketAddr,
    unsent: Vec<u8>,
    /// What came and was not taken yet.
    pub received: Vec<u8>,
    /// The other side's end, once it was seen.
    pub end: Option<PeerEnd>,
}

impl Peer {
    /// Connects to a server that listens. That does not take long as long as there is room in its backlog.
    ///
    /// # Errors
    /// As connect(2).
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(to)?)
    }

    /// The check's end of a connection that it has accepted.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?; // each piece goes on its way at once
        Ok(Self {
            address: stream.local_addr()?,
            socket: stream.into(),
            unsent: Vec::new(),
            received: Vec::new(),
            end: None,
        })
    }

    /// As [`Peer::connect`], to a socket in the file system; `EAGAIN` when its backlog is full.
    pub(crate) fn connect_to_path(path: &Path) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Self {
            socket,
            address: SocketAddr::from(([0; 4], 0)),
            unsent: Vec::new(),
            received: Vec::new(),
            end: None,
        })
    }

    /// Its own address: the PEER of the server's lines. `0.0.0.0:0` for a Unix socket, which has none.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends these bytes, now or as soon as there is room for them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.push();
    }

    /// Sends of these bytes as many as there is room for; answers how many.
    pub fn offer(&mut self, bytes: &[u8]) -> usize {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.socket.as_raw_fd(), bytes, flags) {
            Ok(sent) => sent,
            Err(Errno::EAGAIN) => 0,
            Err(_) => {
                self.end.get_or_insert(PeerEnd::Reset);
                0
            }
        }
    }

    /// Sends these bytes and the end of input so that they arrive together: in one segment, if it is large enough for them.
    pub fn send_and_finish(&mut self, bytes: &[u8]) {
        let flags =
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL | MsgFlags::from_bits_retain(libc::MSG_MORE);
        if send(self.socket.as_raw_fd(), bytes, flags).ok() != Some(bytes.len()) {
            self.end = Some(PeerEnd::Reset); // a piece for which there is no room does not belong here
        }
        self.finish();
    }

    /// No more will be sent: the other side reads the end of input.
    pub fn finish(&mut self) {
        // One that has been reset meanwhile has nothing left to shut down.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
    }

    /// Goes away without a word: the other side gets `ECONNRESET` (`socket(7)`, `SO_LINGER` with a time of 0).
    pub fn reset(self) {
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let _ = setsockopt(&self.socket, sockopt::Linger, &at_once);
    }

    /// Sends what waits and reads what came; `true` when there was something.
    pub fn exchange(&mut self) -> bool {
        let pushed = self.push();
        self.pull() || pushed
    }

    fn push(&mut self) -> bool {
        if self.unsent.is_empty() {
            return false;
        }
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.offer(&unsent);
        self.unsent = unsent;
        self.unsent.drain(..sent);
        sent > 0
    }

    /// Tells the other side at once what has been read, and not within 40 ms (`tcp(7)`): until then that counts as under way.
    fn acknowledge(&self) {
        let at_once: libc::c_int = 1;
        let len = size_of_val(&at_once) as libc::socklen_t;
        let (fd, option) = (self.socket.as_raw_fd(), (&raw const at_once).cast());
        // SAFETY: `option` points to an int of this length. A Unix socket refuses it, and has no need of it.
        unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_QUICKACK, option, len) };
    }

    /// How many bytes the kernel has not sent yet, for want of room on the other side.
    pub(crate) fn held_back(&self) -> u64 {
        const SIOCOUTQNSD: libc::Ioctl = 0x894B; // `linux/sockios.h`
        let mut bytes: libc::c_int = 0;
        // SAFETY: points to an int, which is what this call writes.
        let known = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCOUTQNSD, &raw mut bytes) } == 0;
        if known {
            u64::try_from(bytes).unwrap_or(0)
        } else {
            0
        }
    }

    /// Reads what came, 64 KiB at most; `true` when there was something.
    pub fn pull(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let mut buffer = [0; 64 << 10];
        match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => self.end = Some(PeerEnd::Finished),
            Ok(n) => {
                self.received.extend_from_slice(&buffer[..n]);
                self.acknowledge();
            }
            Err(Errno::EAGAIN) => return false,
            Err(_) => self.end = Some(PeerEnd::Reset),
        }
        true
    }
}
