//! Step 8, stream: the same room over TCP, on epoll.

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use crate::announcer;
use crate::child::Child;
use crate::conn::{Paid, Peer};
use crate::conns::Conns;
use crate::door::{Door, raise_limit};
use crate::poller::Poller;
use crate::room::{Post, Room};
use crate::wait::signals;
use crate::{Error, Result, say};

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

/// How much is heard before all of it goes out, so that no member is owed more because many spoke at once.
const ROUND: usize = 64 * 1024;

struct Server {
    poller: Poller,
    signals: SignalFd,
    door: Door,
    /// None after the end of standard input.
    announcer: Option<Child>,
    room: Room<Peer>,
    conns: Conns,
    /// Empty between the turns.
    due: Vec<RawFd>,
    buffer: Box<[u8]>,
}

pub fn run(addr: SocketAddr) -> Result {
    let announcer = announcer::start()?;
    raise_limit()?;
    let mut server = Server {
        poller: Poller::new()?,
        signals: signals(&[Signal::SIGINT, Signal::SIGTERM])?,
        door: Door::new(addr)?,
        announcer: Some(announcer),
        room: Room::new(),
        conns: Conns::default(),
        due: Vec::new(),
        buffer: vec![0; BUFFER].into_boxed_slice(),
    };
    say(format_args!("chat room on {}", server.door.address()?))?;
    server.poller.watch(&server.signals)?;
    server.poller.watch(&server.door)?;
    if let Some(announcer) = &server.announcer {
        server.poller.watch(announcer)?;
    }
    while server.turn()? {}
    server.announcer = None;
    server.room.tell_malformed();
    say("bye")
}

impl Server {
    /// Sleeps until somebody is ready, and does for each what is to be done. False: a signal has come.
    fn turn(&mut self) -> Result<bool> {
        let ready = self.poller.wait(self.door.timeout(self.conns.is_empty()))?;
        let (mut heard, mut knocked, mut ended) = (0, ready == 0, false);
        for at in 0..ready {
            let (fd, flags) = self.poller.event(at);
            if fd == self.signals.as_raw_fd() {
                ended = true;
            } else if fd == self.door.as_fd().as_raw_fd() {
                knocked = true;
            } else if self.is_announcer(fd) {
                self.announce()?;
            } else {
                heard += self.serve(fd, flags)?;
            }
            if heard >= ROUND {
                self.pay()?;
                heard = 0;
            }
        }
        self.pay()?;
        // After the others: a new client may get the number of one that this turn has closed.
        if knocked {
            self.door.accept(&self.poller, &mut self.conns)?;
        }
        Ok(!ended)
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
                let Some((conn, paid)) = self.conns.pay(*fd) else {
                    continue;
                };
                if paid == Paid::Over {
                    let peer = conn.peer;
                    self.put_out(peer)?;
                } else if let Some(flags) = conn.new_interest() {
                    self.poller.change(conn, flags)?;
                }
            }
        }
        self.conns.end_turn();
        // It is empty; but its memory is of use in the next turn.
        self.due = due;
        Ok(())
    }

    /// Closes a connection. A member has left by that. And a descriptor is free: somebody who waits can be let in.
    fn put_out(&mut self, peer: Peer) -> Result {
        self.conns.remove(peer.fd);
        self.room.remove(peer, &mut self.conns)?;
        self.door.open(&self.poller)
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
