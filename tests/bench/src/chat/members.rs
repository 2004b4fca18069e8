//! The load: the members of a room, of whom one speaks and all listen.
//!
//! The next thing is said when the last has reached everybody and the server sleeps: so no receive buffer overflows, and
//! the load does not read while the server works.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockFlag, SockType, recv, send, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::wire::{MARK, Step, TEXT, Wire};
use crate::load;
use crate::server::Server;
use crate::{Result, named};

/// How many connect before the server gets time to let them in: no more than the shortest backlog takes.
const AT_ONCE: usize = 8;

/// How many enter at once. Each of the others has that many announcements waiting then: fewer than a buffer holds.
const WAVE: usize = 50;

/// How long somebody waits for a message that does not come: a room that lets a line a second pass does not get through
/// with a burst by then.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

pub struct Members<'a> {
    server: &'a Server,
    wire: &'a dyn Wire,
    sockets: Vec<OwnedFd>,
    /// How many messages each has got of those that are under way.
    heard: Vec<usize>,
    buffer: Vec<u8>,
}

impl<'a> Members<'a> {
    pub fn new(server: &'a Server, wire: &'a dyn Wire) -> Members<'a> {
        Members {
            server,
            wire,
            sockets: Vec::new(),
            heard: Vec::new(),
            buffer: vec![0; BUFFER],
        }
    }

    /// Lets so many enter; returns how long it takes until each of them is in, and has heard who else is.
    pub fn enter(&mut self, len: usize) -> Result<Duration> {
        let began = Instant::now();
        self.connect(len)?;
        let steps = self.wire.enter(0).len();
        for nth in 0..steps {
            // Before the last step nobody is in the room, and nobody hears anything of anybody.
            let wave = if nth + 1 < steps { len } else { WAVE };
            for from in (0..len).step_by(wave) {
                self.wave(nth, from, len.min(from + wave))?;
            }
        }
        Ok(began.elapsed())
    }

    fn connect(&mut self, len: usize) -> Result {
        for nth in 0..len {
            self.sockets.push(open(self.server.addr, nth, self.wire.kind())?);
            if nth % AT_ONCE == 0 {
                self.server.settle()?;
            }
        }
        self.heard.resize(len, 0);
        Ok(())
    }

    /// Some members take a step, and all hear of it.
    fn wave(&mut self, nth: usize, from: usize, to: usize) -> Result {
        let steps: Vec<Step> = (from..to)
            .map(|at| self.wire.enter(at).swap_remove(nth))
            .collect();
        for (at, step) in (from..).zip(&steps) {
            self.send(at, &step.send)?;
        }
        for (at, step) in (from..).zip(&steps) {
            self.await_words(at, step.until)?;
        }
        self.drain()?;
        Ok(())
    }

    fn await_words(&mut self, at: usize, words: &str) -> Result {
        let mut got = Vec::new();
        while !got.windows(words.len()).any(|part| part == words.as_bytes()) {
            let len = self.receive(at, MsgFlags::empty())?;
            if len == 0 {
                return Err(format!("no {words:?}, but {:?}", String::from_utf8_lossy(&got)));
            }
            got.extend(&self.buffer[..len]);
        }
        Ok(())
    }

    /// Reads whatever has come, and forgets it; returns how many messages there were in it.
    pub fn drain(&mut self) -> Result<usize> {
        self.server.settle()?;
        let mut messages = 0;
        for at in 0..self.sockets.len() {
            loop {
                match self.receive(at, MsgFlags::MSG_DONTWAIT)? {
                    0 => break,
                    len => messages += count(&self.buffer[..len]),
                }
            }
        }
        Ok(messages)
    }

    /// The first member says so many lines at once, again and again for so long, and each time all get them.
    pub fn talk(&mut self, lines: usize, time: Duration) -> Result<Talk> {
        let text = "x".repeat(TEXT - 1) + "|";
        let said = self.wire.say(&text).repeat(lines);
        self.say(&said, lines)?;
        let mut talk = Talk::default();
        let before = self.server.cpu()?;
        let began = Instant::now();
        while talk.lost == 0 && (talk.heard == 0 || began.elapsed() < time) {
            let heard = self.say(&said, lines)?;
            talk.heard += heard;
            talk.lost += lines * self.listeners().len() - heard;
        }
        talk.cost = (self.server.cpu()? - before).as_nanos() as f64 / talk.heard.max(1) as f64;
        match self.drain()? {
            0 => Ok(talk),
            _ if talk.lost > 0 => Ok(talk),
            surplus => Err(format!("{surplus} messages came that nobody had sent")),
        }
    }

    fn listeners(&self) -> std::ops::Range<usize> {
        usize::from(!self.wire.echoes())..self.sockets.len()
    }

    /// Returns how many messages have come, of so many to each listener.
    fn say(&mut self, said: &[u8], lines: usize) -> Result<usize> {
        self.send(0, said)?;
        self.heard.fill(0);
        // Who entered last is told last, as a rule: when it has been, most of the others have.
        while let Some(late) = self.listeners().rev().find(|at| self.heard[*at] < lines) {
            if !self.hear(late, MsgFlags::empty())? {
                break;
            }
            self.server.settle()?;
            for at in self.listeners() {
                while self.heard[at] < lines && self.hear(at, MsgFlags::MSG_DONTWAIT)? {}
            }
        }
        Ok(self.heard.iter().sum())
    }

    /// False: nothing came.
    fn hear(&mut self, at: usize, flags: MsgFlags) -> Result<bool> {
        let len = self.receive(at, flags)?;
        self.heard[at] += count(&self.buffer[..len]);
        Ok(len > 0)
    }

    /// Receives what there is; returns how long it is. 0: nothing came, for as long as somebody waits.
    fn receive(&mut self, at: usize, flags: MsgFlags) -> Result<usize> {
        match recv(self.sockets[at].as_raw_fd(), &mut self.buffer, flags) {
            Ok(0) => Err(format!("member {at} was put out")),
            Err(Errno::EAGAIN) => Ok(0),
            received => received.map_err(named("recv")),
        }
    }

    fn send(&self, at: usize, mut bytes: &[u8]) -> Result {
        while !bytes.is_empty() {
            let len = send(self.sockets[at].as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL);
            bytes = &bytes[len.map_err(named("send"))?..];
        }
        Ok(())
    }

    /// Nanoseconds from what the first member says to what the second hears: each of so many times.
    pub fn trips(&mut self, times: usize) -> Result<Vec<f64>> {
        let said = self.wire.say("x|");
        let mut trip = || {
            let began = Instant::now();
            self.send(0, &said)?;
            match self.receive(1, MsgFlags::empty())? {
                0 => Err("a message was lost".to_string()),
                _ => Ok(began.elapsed().as_nanos() as f64),
            }
        };
        (0..times).map(|_| trip()).collect()
    }
}

/// What became of what was said, and what a message that came cost the server: nanoseconds of processor time.
#[derive(Default)]
pub struct Talk {
    pub heard: usize,
    pub lost: usize,
    pub cost: f64,
}

fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == MARK).count()
}

fn open(to: SocketAddr, nth: usize, kind: SockType) -> Result<OwnedFd> {
    let socket: OwnedFd = match kind {
        SockType::Datagram => {
            let socket = UdpSocket::bind("127.0.0.1:0").map_err(named("bind"))?;
            socket.connect(to).map_err(named("connect"))?;
            socket.into()
        }
        _ => load::open(to, nth, SockFlag::empty())?.into(),
    };
    let patience = TimeVal::new(PATIENCE.as_secs() as i64, 0);
    setsockopt(&socket, sockopt::ReceiveTimeout, &patience).map_err(named("setsockopt"))?;
    Ok(socket)
}
