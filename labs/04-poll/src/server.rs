//! What all servers share: who is connected, who is let in, and what is done for whom.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::signalfd::SignalFd;

use crate::conn::{Conn, Received, Wants};
use crate::listener::{Listener, signals};
use crate::{Error, Result, say};

/// How much one read takes at most. There is one such buffer a server, and none a connection.
pub const BUFFER: usize = 64 * 1024;

/// How many clients are let in at most before the others get their turn.
pub const ACCEPTS: usize = 256;

/// How long to wait for a descriptor when none of ours can become free, in milliseconds.
const PAUSE: u16 = 1000;

/// What a server does with one client.
pub trait Client {
    /// A client that has just been let in.
    fn new(conn: Conn) -> Self;
    /// Its connection.
    fn conn(&self) -> &Conn;
    /// Reads once, and does at once what follows from it.
    fn talk(&mut self, buffer: &mut [u8]) -> Received;
    /// Sends what is owed, as far as it goes.
    fn pay(&mut self);
}

/// The echo servers need nothing but the connection.
impl Client for Conn {
    fn new(conn: Conn) -> Conn {
        conn
    }

    fn conn(&self) -> &Conn {
        self
    }

    fn talk(&mut self, buffer: &mut [u8]) -> Received {
        self.echo(buffer)
    }

    fn pay(&mut self) {
        Conn::pay(self);
    }
}

/// A descriptor that is ready, and for what. A broken connection is ready for everything: the next call tells.
#[derive(Clone, Copy)]
pub struct Event {
    pub fd: RawFd,
    pub readable: bool,
    pub writable: bool,
}

/// A server: its listener and signals, its clients, and the one buffer that all of them are read into.
pub struct Server<C = Conn> {
    listener: Listener,
    signals: SignalFd,
    /// By descriptor: the kernel gives out the lowest number that is free, so there are few holes.
    clients: Vec<Option<C>>,
    open: usize,
    /// False after descriptors have run out, until one is free again.
    accepting: bool,
    buffer: Box<[u8]>,
}

impl<C: Client> Server<C> {
    /// Listens at this address, and says so.
    pub fn start(addr: SocketAddr) -> Result<Self> {
        let signals = signals()?;
        let listener = Listener::bind(addr)?;
        say(format_args!("listening on {}", listener.address()?))?;
        Ok(Server {
            listener,
            signals,
            clients: Vec::new(),
            open: 0,
            accepting: true,
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    /// Everything that may become ready, and what is waited for in each case.
    pub fn watched(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Wants)> {
        let own = [
            (self.signals.as_fd(), Wants::reading(true)),
            (self.listener.as_fd(), Wants::reading(self.accepting)),
        ];
        let conns = self.clients.iter().flatten().map(Client::conn);
        own.into_iter()
            .chain(conns.map(|conn| (conn.as_fd(), conn.wants())))
    }

    /// Does what can be done for those who are ready; returns false once the server is to end.
    pub fn turn(&mut self, events: &[Event]) -> Result<bool> {
        for &event in events {
            if self.is_signal(event.fd) {
                return Ok(false);
            }
            self.serve(event)?;
        }
        // After the others: a new client may get the number of one that has just been closed.
        if events.iter().any(|event| self.is_listener(event.fd)) {
            for _ in 0..ACCEPTS {
                if self.accept()?.is_none() {
                    break;
                }
            }
        }
        self.woken(events.len());
        Ok(true)
    }

    /// Whether this is the descriptor that signals come out of.
    pub fn is_signal(&self, fd: RawFd) -> bool {
        fd == self.signals.as_raw_fd()
    }

    /// Whether this is the descriptor that clients come out of.
    pub fn is_listener(&self, fd: RawFd) -> bool {
        fd == self.listener.as_fd().as_raw_fd()
    }

    /// The listening socket.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// The client with that descriptor.
    pub fn client(&self, fd: RawFd) -> Option<&C> {
        self.clients.get(index(fd))?.as_ref()
    }

    /// What that client waits for: nothing, if it is not there any more.
    pub fn wants(&self, fd: RawFd) -> Wants {
        self.client(fd)
            .map_or(Wants::reading(false), |client| client.conn().wants())
    }

    /// Does for a client what its socket is ready for, and closes it if that was all. Returns it if it is still there and
    /// waits for something else than before.
    pub fn serve(&mut self, event: Event) -> Result<Option<&C>> {
        let before = self.wants(event.fd);
        if event.writable && before.write {
            self.pay(event.fd);
        }
        if event.readable && self.wants(event.fd).read {
            self.talk(event.fd);
        }
        self.close_if_over(event.fd)?;
        Ok(self
            .client(event.fd)
            .filter(|client| client.conn().wants() != before))
    }

    /// Has a client read once.
    pub fn talk(&mut self, fd: RawFd) -> Received {
        match self.clients.get_mut(index(fd)) {
            Some(Some(client)) => client.talk(&mut self.buffer),
            _ => Received::End,
        }
    }

    /// Has a client write what it is owed.
    pub fn pay(&mut self, fd: RawFd) {
        if let Some(Some(client)) = self.clients.get_mut(index(fd)) {
            client.pay();
        }
    }

    /// Closes a connection that is over; returns whether it was.
    pub fn close_if_over(&mut self, fd: RawFd) -> Result<bool> {
        let over = self.client(fd).is_some_and(|client| client.conn().is_over());
        if over {
            self.close(fd)?;
        }
        Ok(over)
    }

    /// Closes a connection, and says so. That frees a descriptor: somebody who waits can be let in.
    pub fn close(&mut self, fd: RawFd) -> Result {
        let Some(client) = self.clients.get_mut(index(fd)).and_then(Option::take) else {
            return Ok(());
        };
        let (peer, written) = (client.conn().peer(), client.conn().written());
        drop(client);
        self.open -= 1;
        self.accepting = true;
        say(format_args!("close {peer} {written}"))
    }

    /// Whether clients are let in at the moment.
    pub fn accepting(&self) -> bool {
        self.accepting
    }

    /// Lets one client in; returns it. None: nobody waits, or nobody can be let in.
    pub fn accept(&mut self) -> Result<Option<&C>> {
        while self.accepting {
            match self.listener.accept() {
                Ok((socket, peer)) => {
                    say(format_args!("open {peer}"))?;
                    return Ok(Some(self.admit(Conn::new(socket, peer))));
                }
                Err(Errno::EAGAIN) => break,
                Err(errno) => self.not_accepted(errno)?,
            }
        }
        Ok(None)
    }

    /// Puts a new connection into the table.
    fn admit(&mut self, conn: Conn) -> &C {
        let at = index(conn.as_fd().as_raw_fd());
        if self.clients.len() <= at {
            self.clients.resize_with(at + 1, || None);
        }
        self.open += 1;
        self.clients[at].insert(C::new(conn))
    }

    /// What becomes of an accept that has failed.
    fn not_accepted(&mut self, errno: Errno) -> Result {
        // TODO 6: an accept has failed. See accept(2), "ERRORS" and "Error handling".
        //   out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM): the client stays in the backlog, so that the
        //     listener is ready for ever. Leave it alone: `self.accepting` says whether it is listened to at all, and
        //     becomes true again when a connection is closed.
        //   what the network has done to that one client (ECONNABORTED, EPROTO, ENETDOWN, …): nothing; the next may be there
        //   any other: an error of the server, `Error::Call("accept4", errno)`
        //   -> with `ulimit -n 20` and 40 clients: some are served, the others wait, the server sleeps; as clients
        //      leave, the others are served
        todo!("step 6: when a client cannot be accepted")
    }

    /// How many milliseconds to sleep at most. No limit as a rule; only when descriptors have run out and not one is
    /// ours to close, nothing would ever tell that there is one again.
    pub fn timeout(&self) -> Option<u16> {
        (!self.accepting && self.open == 0).then_some(PAUSE)
    }

    /// To be called after each sleep, with the number of those who were ready.
    pub fn woken(&mut self, ready: usize) {
        self.accepting |= ready == 0;
    }
}

/// The place of a descriptor in the table. A descriptor is never negative.
fn index(fd: RawFd) -> usize {
    fd as usize
}
