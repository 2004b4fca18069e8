//! Refused by step 7 (http). Replaces src/http.rs.
//! One request, one connection: HTTP as it was in 1996. A page with twenty pictures makes twenty connections.

use std::mem;
use std::net::SocketAddr;

use crate::conn::{BOUND, Conn, HangUp, Received};
use crate::request::{Parsed, parse};
use crate::server::{BUFFER, Client, Server};
use crate::{Result, epoll, page};

/// How much input is read and dropped after the last answer, so that the client lives to read that.
const LINGER: u64 = 1024 * 1024;

pub fn run(addr: SocketAddr) -> Result {
    let server: Server<Exchange> = Server::start(addr)?;
    epoll::serve(server)
}

/// A client that sends requests.
struct Exchange {
    conn: Conn,
    /// What has been received and not been dealt with: part of a head, or requests whose answers would be too much to
    /// be owed now.
    input: Vec<u8>,
    /// So many bytes of input are still the body of the last request.
    skip: u64,
    /// The last answer has been given; what still comes in is dropped.
    closing: bool,
    /// So many bytes may still be dropped.
    patience: u64,
    /// The client has been told that nothing more will come.
    finished: bool,
}

impl Client for Exchange {
    fn new(conn: Conn) -> Exchange {
        Exchange {
            conn,
            input: Vec::new(),
            skip: 0,
            closing: false,
            patience: LINGER,
            finished: false,
        }
    }

    fn conn(&self) -> &Conn {
        &self.conn
    }

    fn talk(&mut self, buffer: &mut [u8]) -> Received {
        let received = self.conn.receive(buffer);
        match received {
            Received::Bytes(n) if self.closing => self.drop_input(n as u64),
            Received::Bytes(n) => self.take(&buffer[..n]),
            Received::Nothing | Received::End => {}
        }
        received
    }

    fn pay(&mut self) {
        self.conn.pay();
        // Requests that are waiting go on now, and not when the client next sends something: it may have sent all.
        let input = mem::take(&mut self.input);
        self.take(&input);
    }
}

impl Exchange {
    /// Answers what is complete, and keeps the rest.
    fn take(&mut self, fresh: &[u8]) {
        if self.input.is_empty() {
            // The common case, in which nothing is copied.
            let used = self.answer(fresh);
            self.input.extend_from_slice(&fresh[used..]);
        } else {
            let mut input = mem::take(&mut self.input);
            input.extend_from_slice(fresh);
            let used = self.answer(&input);
            input.drain(..used);
            self.input = input;
        }
        if self.input.is_empty() {
            // An idle connection keeps no buffer.
            self.input = Vec::new();
        }
        self.finish();
    }

    /// Answers every request that is complete, in order, with as few writes as can be; returns how much of the input
    /// that has taken.
    fn answer(&mut self, input: &[u8]) -> usize {
        let mut rest = input;
        let mut out = Vec::new();
        while !self.closing && self.conn.owed() < BOUND {
            let skipped = self.skip.min(rest.len() as u64);
            self.skip -= skipped;
            rest = &rest[skipped as usize..];
            match parse(rest) {
                Parsed::Partial => break,
                Parsed::Whole(request, len) => {
                    page::answer(&mut out, &request);
                    self.skip = request.body;
                    self.closing = true;
                    rest = &rest[len..];
                }
                Parsed::Refused(status) => {
                    page::refusal(&mut out, status);
                    self.closing = true;
                }
            }
            if out.len() >= BUFFER {
                self.conn.send(&out);
                out.clear();
            }
        }
        self.conn.send(&out);
        if self.closing {
            input.len()
        } else {
            input.len() - rest.len()
        }
    }

    /// After the last answer: says that it was the last, and then waits for the client to close. To close here at once
    /// would reset the connection if input is unread, and the reset would take the answer with it.
    fn finish(&mut self) {
        if self.closing && !self.finished && self.conn.owed() == 0 {
            self.finished = true;
            self.conn.finish();
        }
    }

    /// Drops input that comes after the end, but not for ever. (Who sends nothing and does not close stays: a server
    /// on the open internet would have a clock.)
    fn drop_input(&mut self, n: u64) {
        match self.patience.checked_sub(n) {
            Some(left) => self.patience = left,
            None => self.conn.hang_up(HangUp::Reset),
        }
    }
}
