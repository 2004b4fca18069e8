//! All connections of the stream server, and who of them is due.

use std::mem;
use std::os::fd::RawFd;

use crate::conn::{Conn, Paid, Peer};
use crate::room::Post;

/// All connections, by descriptor: the kernel gives out the lowest number that is free, so there are few holes.
#[derive(Default)]
pub struct Conns {
    table: Vec<Option<Conn>>,
    open: usize,
    /// Who has something coming, or is to be closed: each of them once.
    due: Vec<RawFd>,
    /// What is said in this turn: kept once, however many get it.
    said: Vec<u8>,
}

impl Conns {
    pub fn insert(&mut self, conn: Conn) {
        let at = conn.peer.fd as usize;
        if self.table.len() <= at {
            self.table.resize_with(at + 1, || None);
        }
        self.open += 1;
        self.table[at] = Some(conn);
    }

    /// The connection with this descriptor, if there is one.
    pub fn get(&mut self, fd: RawFd) -> Option<&mut Conn> {
        self.table.get_mut(fd as usize)?.as_mut()
    }

    /// Pays a client what is due to it.
    pub fn pay(&mut self, fd: RawFd) -> Option<(&mut Conn, Paid)> {
        let conn = self.table.get_mut(fd as usize)?.as_mut()?;
        let paid = conn.pay(&self.said);
        Some((conn, paid))
    }

    /// All have been paid.
    pub fn end_turn(&mut self) {
        self.said.clear();
    }

    /// Closes a connection.
    pub fn remove(&mut self, fd: RawFd) {
        let place = self.table.get_mut(fd as usize);
        self.open -= usize::from(place.and_then(Option::take).is_some());
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Puts a client on the list of those who are due.
    pub fn list(&mut self, fd: RawFd) {
        if let Some(Some(conn)) = self.table.get_mut(fd as usize)
            && !mem::replace(&mut conn.listed, true)
        {
            self.due.push(fd);
        }
    }

    /// Moves those who are due to an empty list, and is ready to note others.
    pub fn take_due(&mut self, due: &mut Vec<RawFd>) {
        mem::swap(&mut self.due, due);
        for fd in due {
            if let Some(conn) = self.get(*fd) {
                conn.listed = false;
            }
        }
    }
}

impl Post<Peer> for Conns {
    /// Notes what is to be sent. It goes out at the end of the turn, with all else that comes together until then.
    fn send(&mut self, to: Peer, message: &str) {
        if let Some(Some(conn)) = self.table.get_mut(to.fd as usize) {
            conn.owe(message.as_bytes(), &self.said);
            self.list(to.fd);
        }
    }

    fn send_all(&mut self, to: impl Iterator<Item = Peer>, message: &str) {
        let from = self.said.len();
        self.said.extend_from_slice(message.as_bytes());
        for peer in to {
            if let Some(Some(conn)) = self.table.get_mut(peer.fd as usize) {
                conn.owe_said(from, &self.said);
                self.list(peer.fd);
            }
        }
    }

    fn close(&mut self, peer: Peer) {
        if let Some(conn) = self.get(peer.fd) {
            conn.close();
        }
        self.list(peer.fd);
    }
}
