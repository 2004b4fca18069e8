//! Refused by step 6 (faults). Replaces src/edge.rs.
//! Somebody waits at the listener, so it only looks and does not sleep: for as long as no descriptor is free.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::conn::Received;
use crate::server::{ACCEPTS, BUFFER, Client, Server};
use crate::{Named, Result, retry, say};

/// How many ready descriptors one call tells of; the others are told by the next.
const BATCH: usize = 1024;

/// How often a client is read in one turn. One that never stops sending must not keep the others waiting.
const READS: usize = 8;

/// What the kernel has told of a client, and will not tell again.
#[derive(Clone, Copy, Default)]
struct Told {
    /// There is something to read, as far as is known.
    readable: bool,
    /// It can be written to again.
    writable: bool,
    /// A short read does not mean that nothing is left: the end of input (EPOLLRDHUP) waits behind the data, or data
    /// behind an urgent byte (EPOLLPRI), at which a read stops. For both there is no further edge.
    more: bool,
    /// It is on the list of those who get a turn.
    listed: bool,
}

struct Edge {
    server: Server,
    epoll: Epoll,
    /// By descriptor.
    told: Vec<Told>,
    /// Who gets a turn, each of them once.
    turns: VecDeque<RawFd>,
    /// Somebody may wait to be let in.
    waiting: bool,
}

pub fn run(addr: SocketAddr) -> Result {
    let mut edge = Edge {
        server: Server::start(addr)?,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1")?,
        told: Vec::new(),
        turns: VecDeque::new(),
        waiting: false,
    };
    for (fd, _) in edge.server.watched() {
        edge.epoll.add(fd, interest(fd)).named("epoll_ctl")?;
    }
    let mut batch = vec![EpollEvent::empty(); BATCH];
    while edge.wait(&mut batch)? {
        for _ in 0..edge.turns.len() {
            if let Some(fd) = edge.turns.pop_front() {
                edge.turn(fd)?;
            }
        }
        // After the others: a new client may get the number of one that has just been closed.
        if edge.waiting {
            edge.accept()?;
        }
    }
    say("bye")
}

impl Edge {
    /// Sleeps until somebody is ready, or only looks if somebody still is; notes who. False: a signal has come.
    fn wait(&mut self, batch: &mut [EpollEvent]) -> Result<bool> {
        let busy = !self.turns.is_empty() || self.waiting;
        let timeout = if busy { Some(0) } else { self.server.timeout() };
        let n = retry(|| self.epoll.wait(batch, timeout)).named("epoll_wait")?;
        if !busy {
            self.server.woken(n);
        }
        for event in &batch[..n] {
            let fd = event.data() as RawFd;
            if self.server.is_signal(fd) {
                return Ok(false);
            } else if self.server.is_listener(fd) {
                self.waiting = true;
            } else {
                self.note(fd, event.events());
            }
        }
        Ok(true)
    }

    /// Notes what the kernel has told of a client, and puts it on the list.
    fn note(&mut self, fd: RawFd, got: EpollFlags) {
        let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let more = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI | broken;
        let told = &mut self.told[fd as usize];
        told.readable |= got.intersects(EpollFlags::EPOLLIN | more);
        told.writable |= got.intersects(EpollFlags::EPOLLOUT | broken);
        told.more |= got.intersects(more);
        self.list(fd);
    }

    fn list(&mut self, fd: RawFd) {
        if !std::mem::replace(&mut self.told[fd as usize].listed, true) {
            self.turns.push_back(fd);
        }
    }

    /// A client's turn: it is written to and read until the kernel will tell when there is more to do, or until it has
    /// had its share.
    fn turn(&mut self, fd: RawFd) -> Result {
        let told = &mut self.told[fd as usize];
        told.listed = false;
        if std::mem::take(&mut told.writable) {
            self.server.pay(fd);
        }
        for _ in 0..READS {
            // Who is owed too much stays readable: its reading goes on, without a new edge, when that has been paid.
            if !told.readable || !self.server.wants(fd).read {
                break;
            }
            match self.server.talk(fd) {
                Received::Bytes(n) if n == BUFFER || told.more => {}
                Received::Nothing => (told.readable, told.more) = (false, false),
                // A short read has emptied the socket: what comes after it makes a new edge.
                Received::Bytes(_) | Received::End => told.readable = false,
            }
        }
        if self.server.close_if_over(fd)? {
            self.told[fd as usize] = Told::default();
        } else if told.readable && self.server.wants(fd).read {
            self.list(fd);
        }
        Ok(())
    }

    /// Lets in who waits. Nobody tells a second time that they do: not after a share of them has been let in, and not
    /// when a descriptor is free again after they had run out.
    fn accept(&mut self) -> Result {
        for _ in 0..ACCEPTS {
            let Some(client) = self.server.accept()? else {
                self.waiting = !self.server.accepting();
                return Ok(());
            };
            let conn = client.conn();
            let fd = conn.as_fd().as_raw_fd();
            // What has arrived already is told at once, as the first edge.
            let added = self.epoll.add(conn, interest(conn));
            if self.told.len() <= fd as usize {
                self.told.resize(fd as usize + 1, Told::default());
            }
            if added.is_err() {
                // No room on the list (max_user_watches): a client that nobody would hear must not wait for ever.
                self.server.close(fd)?;
            }
        }
        Ok(())
    }
}

/// Everything, once and for all: with an edge, an interest that there is no use for wakes nobody twice.
fn interest(fd: impl AsFd) -> EpollEvent {
    let all = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI;
    EpollEvent::new(all | EpollFlags::EPOLLET, fd.as_fd().as_raw_fd() as u64)
}
