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
use crate::{Error, Result, say, say_lost};

/// How many messages are received at most before signals and announcements get their turn.
const BATCH: usize = 64;

struct Server {
    post: Udp,
    room: Room<SocketAddr>,
    strangers: Strangers,
    /// None after the end of standard input.
    announcer: Option<Child>,
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
        if announced && let Some(message) = announcer::take(&mut server.announcer)? {
            server.room.announce(&message, &mut server.post);
        }
        // The errors alone may have woken us.
        server.forget_the_gone()?;
    }
}

impl Server {
    /// Receives what has come, and does what it asks for.
    fn receive(&mut self) -> Result {
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
            self.forget_the_gone()?;
        }
        Ok(())
    }

    /// Tells somebody why, but not a stranger again and again: only who wants to enter waits for an answer.
    fn refuse(&mut self, from: SocketAddr, reason: &Reason) {
        if reason.is_awaited() || self.room.has(from) || self.strangers.may_be_told(from) {
            self.post.send(from, &format!("{reason}\n"));
        }
    }

    /// Those whose sockets are closed have left, though they did not say so. Telling the others may show that more are.
    fn forget_the_gone(&mut self) -> Result {
        while let Some(peer) = self.post.next_gone() {
            self.room.remove(peer, &mut self.post)?;
        }
        Ok(())
    }

    fn end(mut self) -> Result {
        self.announcer = None;
        self.room.tell_malformed();
        say_lost(self.post.lost())?;
        say("bye")
    }
}
