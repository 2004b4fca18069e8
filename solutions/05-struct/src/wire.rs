//! Records over TCP: a server for several peers, and a client. This file is complete.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::read;

use crate::format::Format;
use crate::records::Records;
use crate::{Error, Named, Result, complain, retry, say, unpack, value};

/// How much one read takes at most. There is one such buffer, and none a peer.
const BUFFER: usize = 64 * 1024;

/// How long to wait for a descriptor when none of ours can become free, in milliseconds.
const PAUSE: u16 = 1000;

/// Sends a record.
pub fn send(addr: SocketAddr, record: &[u8]) -> Result {
    let mut stream = TcpStream::connect(addr).named("connect")?;
    stream.write_all(record).named("send")
}

/// Receives records, until SIGINT or SIGTERM comes.
pub fn recv(addr: SocketAddr, format: &Format) -> Result {
    let signals = signals()?;
    let listener = TcpListener::bind(addr).named("bind")?;
    listener.set_nonblocking(true).named("ioctl")?;
    say(format_args!(
        "listening on {}",
        listener.local_addr().named("getsockname")?
    ))?;
    let mut server = Server {
        listener,
        peers: Vec::new(),
        accepting: true,
        buffer: vec![0; BUFFER],
    };
    while server.turn(&signals, format)? {}
    Ok(())
}

struct Server {
    listener: TcpListener,
    peers: Vec<Peer>,
    /// False after descriptors have run out, until one may be free again.
    accepting: bool,
    buffer: Vec<u8>,
}

impl Server {
    /// Sleeps until something is ready, and does what is due; returns false once the server is to end.
    fn turn(&mut self, signals: &SignalFd, format: &Format) -> Result<bool> {
        let ready = self.wait(signals)?;
        let ([signalled, knocked], of_peers) = ready.split_first_chunk().unwrap_or((&[false; 2], &[]));
        if *signalled {
            return Ok(false);
        }
        let mut of_peers = of_peers.iter();
        let (mut kept, before) = (Vec::new(), self.peers.len());
        for mut peer in self.peers.drain(..) {
            let is_ready = of_peers.next() == Some(&true);
            if !is_ready || peer.talk(&mut self.buffer, format)? {
                kept.push(peer);
            }
        }
        self.peers = kept;
        // A peer that has gone left a descriptor; and whoever waited in vain for one looks again.
        self.accepting |= self.peers.len() < before || !ready.contains(&true);
        if *knocked {
            self.accept_all(format.size)?;
        }
        Ok(true)
    }

    /// Sleeps; returns who is ready: the signals, the listener, each peer.
    fn wait(&self, signals: &SignalFd) -> Result<Vec<bool>> {
        let knocks = if self.accepting {
            PollFlags::POLLIN
        } else {
            PollFlags::empty()
        };
        let mut fds = vec![
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), knocks),
        ];
        fds.extend(
            self.peers
                .iter()
                .map(|peer| PollFd::new(peer.socket.as_fd(), PollFlags::POLLIN)),
        );
        // No limit as a rule; but without a peer nothing would ever tell that there is a descriptor again.
        let idle = !self.accepting && self.peers.is_empty();
        let timeout = if idle {
            PollTimeout::from(PAUSE)
        } else {
            PollTimeout::NONE
        };
        retry(|| poll(&mut fds, timeout)).named("poll")?;
        Ok(fds.iter().map(|fd| fd.any().unwrap_or(false)).collect())
    }

    /// Lets in who waits.
    fn accept_all(&mut self, size: usize) -> Result {
        while self.accepting {
            match retry(|| self.listener.accept().map_err(errno)) {
                Ok((socket, name)) => {
                    socket.set_nonblocking(true).named("ioctl")?;
                    self.peers.push(Peer {
                        socket,
                        name,
                        records: Records::of(size),
                    });
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => self.accepting = false,
                Err(errno @ (Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK)) => {
                    return Err(Error::Call("accept4", errno));
                }
                // That peer had gone already, or its network; see accept(2). The next may be there.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// A connection, and what has come over it.
struct Peer {
    socket: TcpStream,
    name: SocketAddr,
    records: Records,
}

impl Peer {
    /// Reads once, and prints the records that are whole now; returns false when there will be nothing more.
    fn talk(&mut self, buffer: &mut [u8], format: &Format) -> Result<bool> {
        let name = self.name;
        let print = |record: &[u8]| {
            say(format_args!(
                "{name} {}",
                value::tuple(unpack::unpack(format, record))
            ))
        };
        match retry(|| read(&self.socket, buffer)) {
            Ok(n @ 1..) => self.records.add(&buffer[..n], print).map(|()| true),
            Err(Errno::EAGAIN) => Ok(true),
            // The end, or a broken connection: that is this peer's affair and not the server's.
            Ok(0) | Err(_) => {
                self.part(format.size);
                Ok(false)
            }
        }
    }

    /// It has gone. Half a record is worth a word: whoever sent it thinks that it has arrived.
    fn part(&self, size: usize) {
        let begun = self.records.begun();
        if begun > 0 {
            complain(&format!(
                "struct: {}: record cut short: {begun} of {size} bytes\n",
                self.name
            ));
        }
    }
}

/// A descriptor that becomes readable when SIGINT or SIGTERM comes. Blocked, these wait there until they are asked for,
/// so that none of them comes between a look and a sleep.
fn signals() -> Result<SignalFd> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ends.thread_block().named("sigprocmask")?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).named("signalfd")
}

/// The number of an error of the standard library.
fn errno(error: std::io::Error) -> Errno {
    Errno::try_from(error).unwrap_or(Errno::EIO)
}
