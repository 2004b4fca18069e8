//! Step 8, stream: the same room over TCP, on epoll.

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use crate::announcer;
use crate::child::Child;
use crate::conns::{Conn, Conns, Paid, Peer};
use crate::listener::{Listener, raise_limit};
use crate::room::{Post, Room};
use crate::wait::signals;
use crate::{Error, Named, Result, retry, say};

/// How many ready descriptors one call tells of; the others are told by the next.
const BATCH: usize = 1024;

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

/// How much is heard before all of it goes out, so that no member is owed more because many spoke at once.
const ROUND: usize = 64 * 1024;

/// How many clients are let in at most before the others get their turn.
const ACCEPTS: usize = 256;

/// How long to wait for a descriptor when none of ours can become free, in milliseconds.
const PAUSE: u16 = 1000;

struct Server {
    epoll: Epoll,
    signals: SignalFd,
    listener: Listener,
    /// None after the end of standard input.
    announcer: Option<Child>,
    room: Room<Peer>,
    conns: Conns,
    /// False after descriptors have run out, until one is free again.
    accepting: bool,
    /// Empty between the turns.
    due: Vec<RawFd>,
    buffer: Box<[u8]>,
}

pub fn run(addr: SocketAddr) -> Result {
    let announcer = announcer::start()?;
    raise_limit()?;
    let mut server = Server {
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1")?,
        signals: signals(&[Signal::SIGINT, Signal::SIGTERM])?,
        listener: Listener::bind(addr)?,
        announcer: Some(announcer),
        room: Room::new(),
        conns: Conns::default(),
        accepting: true,
        due: Vec::new(),
        buffer: vec![0; BUFFER].into_boxed_slice(),
    };
    say(format_args!("chat room on {}", server.listener.address()?))?;
    server.watch(&server.signals)?;
    server.watch(&server.listener)?;
    if let Some(announcer) = &server.announcer {
        server.watch(announcer)?;
    }
    let mut batch = vec![EpollEvent::empty(); BATCH];
    while server.turn(&mut batch)? {}
    server.announcer = None;
    server.room.tell_malformed();
    say("bye")
}

impl Server {
    /// Sleeps until somebody is ready, and does for each what is to be done. False: a signal has come.
    fn turn(&mut self, batch: &mut [EpollEvent]) -> Result<bool> {
        let timeout = (!self.accepting && self.conns.is_empty()).then_some(PAUSE);
        let n = retry(|| self.epoll.wait(batch, timeout)).named("epoll_wait")?;
        let (mut heard, mut knocked) = (0, n == 0);
        for event in &batch[..n] {
            let fd = event.data() as RawFd;
            if fd == self.signals.as_raw_fd() {
                return Ok(false);
            }
            if fd == self.listener.as_fd().as_raw_fd() {
                knocked = true;
            } else if self.is_announcer(fd) {
                self.announce()?;
            } else {
                heard += self.serve(fd, event.events())?;
            }
            if heard >= ROUND {
                self.pay()?;
                heard = 0;
            }
        }
        self.pay()?;
        // After the others: a new client may get the number of one that this batch told of and that has been closed.
        if knocked {
            self.accept()?;
        }
        Ok(true)
    }

    /// Does what a client's socket is ready for; returns how much was heard.
    fn serve(&mut self, fd: RawFd, ready: EpollFlags) -> Result<usize> {
        let Some(conn) = self.conns.get(fd) else {
            return Ok(0);
        };
        if ready.contains(EpollFlags::EPOLLOUT) {
            conn.set_writable();
            self.conns.list(fd);
        }
        let broken = ready.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if broken || ready.contains(EpollFlags::EPOLLIN) {
            return self.hear(fd, broken);
        }
        Ok(0)
    }

    /// Reads once from a client, and does what the lines ask for that are whole now. Disconnecting is leaving.
    fn hear(&mut self, fd: RawFd, broken: bool) -> Result<usize> {
        let Some(conn) = self.conns.get(fd) else {
            return Ok(0);
        };
        let peer = conn.peer;
        let (mut lines, closing) = (mem::take(&mut conn.lines), conn.is_closing());
        match conn.receive(&mut self.buffer) {
            Ok(n @ 1..) if !closing => {
                let (room, conns) = (&mut self.room, &mut self.conns);
                lines.cut(&self.buffer[..n], |line| hear_line(peer, line, room, conns))?;
                if let Some(conn) = self.conns.get(fd) {
                    conn.lines = lines;
                }
                return Ok(n);
            }
            Err(Errno::EAGAIN) if !broken => conn.lines = lines,
            // It will say nothing more; it still gets what it is owed.
            Ok(_) if !broken => {
                self.room.remove(peer, &mut self.conns)?;
                self.conns.close(peer);
            }
            _ => self.put_out(peer)?,
        }
        Ok(0)
    }

    /// Sends to everybody what has come together for it. Who cannot be sent to is put out, and the others are told.
    fn pay(&mut self) -> Result {
        let mut due = mem::take(&mut self.due);
        loop {
            due.clear();
            self.conns.take_due(&mut due);
            if due.is_empty() {
                break;
            }
            for fd in &due {
                let Some(conn) = self.conns.get(*fd) else {
                    continue;
                };
                if conn.pay() == Paid::Over {
                    let peer = conn.peer;
                    self.put_out(peer)?;
                }
                self.change(*fd)?;
            }
        }
        // It is empty; but its memory is of use in the next turn.
        self.due = due;
        Ok(())
    }

    /// Closes a connection. A member has left by that. And a descriptor is free: somebody who waits can be let in.
    fn put_out(&mut self, peer: Peer) -> Result {
        self.conns.remove(peer.fd);
        self.room.remove(peer, &mut self.conns)?;
        self.listen(true)
    }

    /// Lets in who waits.
    fn accept(&mut self) -> Result {
        self.listen(true)?;
        for _ in 0..ACCEPTS {
            match self.listener.accept() {
                Ok((socket, addr)) => {
                    let conn = Conn::new(socket, addr);
                    // If there is no room on the list (max_user_watches), nobody would hear it: then it is closed.
                    if self.watch(&conn).is_ok() {
                        self.conns.insert(conn);
                    }
                }
                Err(Errno::EAGAIN) => break,
                // Out of descriptors or memory. The client stays in the backlog, and the listener would be ready for ever.
                Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                    return self.listen(false);
                }
                // That client had gone already, or its network; see accept(2). The next may be there.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Listens to the door, or leaves it alone.
    fn listen(&mut self, accepting: bool) -> Result {
        if accepting == mem::replace(&mut self.accepting, accepting) {
            return Ok(());
        }
        let flags = if accepting {
            EpollFlags::EPOLLIN
        } else {
            EpollFlags::empty()
        };
        let mut event = EpollEvent::new(flags, self.listener.as_fd().as_raw_fd() as u64);
        self.epoll.modify(&self.listener, &mut event).named("epoll_ctl")
    }

    fn is_announcer(&self, fd: RawFd) -> bool {
        let announcer = self.announcer.as_ref().map(|child| child.as_fd().as_raw_fd());
        announcer == Some(fd)
    }

    fn announce(&mut self) -> Result {
        if let Some(message) = announcer::take(&mut self.announcer)? {
            self.room.announce(&message, &mut self.conns);
        }
        Ok(())
    }

    /// Puts a descriptor on the kernel's list, to be read.
    fn watch(&self, fd: &impl AsFd) -> Result {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, fd.as_fd().as_raw_fd() as u64);
        self.epoll.add(fd, event).named("epoll_ctl")
    }

    /// Tells the kernel what a client waits for, if that has changed.
    fn change(&mut self, fd: RawFd) -> Result {
        if let Some(conn) = self.conns.get(fd)
            && let Some(flags) = conn.new_interest()
        {
            let mut event = EpollEvent::new(flags, fd as u64);
            self.epoll.modify(&*conn, &mut event).named("epoll_ctl")?;
        }
        Ok(())
    }
}

/// Does what a line asks for. Who has left is heard no more.
fn hear_line(peer: Peer, line: &[u8], room: &mut Room<Peer>, conns: &mut Conns) -> Result {
    if conns.get(peer.fd).is_none_or(|conn| conn.is_closing()) {
        return Ok(());
    }
    match room.hear(peer, line, conns) {
        Err(Error::Refused(reason)) => {
            conns.send(peer, &format!("{reason}\n"));
            Ok(())
        }
        heard => heard,
    }
}
