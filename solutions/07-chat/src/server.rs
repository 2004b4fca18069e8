//! The server, over UDP: steps 1 to 7 from the other side.

use std::net::SocketAddr;

use nix::sys::signal::Signal;

use crate::announcer;
use crate::child::Child;
use crate::notices::Reason;
use crate::room::{Post, Room};
use crate::strangers::Strangers;
use crate::udp::Udp;
use crate::wait::{input, signals, wait};
use crate::wire::LONGEST;
use crate::{Error, Result, complain, say, say_lost};

/// How many messages are received at most before signals and announcements get their turn.
const BATCH: usize = 64;

struct Server {
    post: Udp,
    room: Room<SocketAddr>,
    strangers: Strangers,
    /// None after the end of standard input.
    announcer: Option<Child>,
    /// How many datagrams were no messages.
    malformed: u64,
}

pub fn run(addr: SocketAddr) -> Result {
    // Before all else: it gets neither our socket nor our blocked signals.
    let announcer = announcer::start()?;
    let signals = signals(&[Signal::SIGINT, Signal::SIGTERM])?;
    let mut server = Server {
        post: Udp::bind(addr)?,
        room: Room::new(),
        strangers: Strangers::default(),
        announcer: Some(announcer),
        malformed: 0,
    };
    say(format_args!("chat room on {}", server.post.address()?))?;
    loop {
        let announcer = server.announcer.as_ref().and_then(input);
        let [signal, heard, announced] = wait([input(&signals), input(&server.post), announcer], None)?;
        if signal {
            return server.end();
        }
        if heard {
            server.receive()?;
        }
        if announced {
            server.announce()?;
        }
        server.forget_the_gone()?;
    }
}

impl Server {
    /// Receives what has come, and does what it asks for.
    fn receive(&mut self) -> Result {
        self.post.read_errors();
        // A byte more than a message may have: what fills it is too long.
        let mut buffer = [0; LONGEST + 1];
        for _ in 0..BATCH {
            let Some((len, from)) = self.post.receive(&mut buffer) else {
                break;
            };
            match self.room.hear(from, &buffer[..len], &mut self.post) {
                Err(Error::Refused(reason)) => self.refuse(from, &reason),
                heard => heard?,
            }
        }
        Ok(())
    }

    /// Tells somebody why, but not a stranger again and again: only who wants to enter waits for an answer.
    fn refuse(&mut self, from: SocketAddr, reason: &Reason) {
        self.malformed += u64::from(reason.is_malformed());
        if reason.is_awaited() || self.room.has(from) || self.strangers.may_be_told(from) {
            self.post.send(from, &format!("{reason}\n"));
        }
    }

    // ANCHOR: announce
    /// Takes what the announcer hands over, and sends it to all. At its end it is reaped, and the room goes on.
    fn announce(&mut self) -> Result {
        let Some(announcer) = &self.announcer else {
            return Ok(());
        };
        let mut buffer = [0; LONGEST + 1];
        match announcer.hear(&mut buffer)? {
            0 => self.announcer = None,
            n => self
                .room
                .announce(&String::from_utf8_lossy(&buffer[..n]), &mut self.post),
        }
        Ok(())
    }
    // ANCHOR_END: announce

    /// Those whose sockets are closed have left, though they did not say so. Telling the others may show that more are.
    fn forget_the_gone(&mut self) -> Result {
        while let Some(peer) = self.post.next_gone() {
            self.room.remove(peer, &mut self.post)?;
        }
        Ok(())
    }

    fn end(mut self) -> Result {
        self.announcer = None;
        if self.malformed > 0 {
            complain(format_args!("{} datagrams were no messages", self.malformed));
        }
        say_lost(self.post.lost())?;
        say("bye")
    }
}
