//! The room: who is in it, and what becomes of what they send. It knows a member by its peer, whatever that is: an
//! address that datagrams come from, or a connection. So it serves both servers.

use std::fmt::{Display, Write};

use crate::notices::{EXIT, OK, Reason};
use crate::wire::{Request, check_name, clean, parse};
use crate::{Error, Result, complain, say};

/// What carries messages to peers.
pub trait Post<P> {
    /// Sends a message, which ends in a newline here. When it cannot be sent, that is the post's affair.
    fn send(&mut self, to: P, message: &str);

    /// Sends the same to each of these.
    fn send_all(&mut self, to: impl Iterator<Item = P>, message: &str) {
        to.for_each(|peer| self.send(peer, message));
    }

    /// Nothing more will be sent to this peer.
    fn close(&mut self, _peer: P) {}
}

struct Member<P> {
    peer: P,
    name: String,
}

pub struct Room<P> {
    /// Everybody, longest there first. (Looking for one goes through all: less work than to send one message to each.)
    members: Vec<Member<P>>,
    /// The message that is being sent: made once, however many get it, and its memory kept for the next.
    message: String,
    /// How many messages meant nothing.
    malformed: u64,
}

impl<P: Copy + Eq + Display> Room<P> {
    pub fn new() -> Self {
        Room {
            members: Vec::new(),
            message: String::new(),
            malformed: 0,
        }
    }

    /// Whether this peer is a member.
    pub fn has(&self, peer: P) -> bool {
        self.members.iter().any(|member| member.peer == peer)
    }

    /// Does what a message asks for. `Error::Refused`: nothing has changed, and the peer may be told why.
    pub fn hear(&mut self, from: P, message: &[u8], post: &mut impl Post<P>) -> Result {
        let request = parse(message).inspect_err(|_| self.malformed += 1)?;
        match request {
            Request::Enter(name) => self.enter(from, name, post),
            Request::Say { name, text } => self.say(from, name, text, post),
            Request::Leave(name) => self.leave(from, name, post),
        }
    }

    // ANCHOR: enter
    fn enter(&mut self, from: P, name: &str, post: &mut impl Post<P>) -> Result {
        if let Some(member) = self.members.iter().find(|member| member.peer == from) {
            return Err(Error::Refused(Reason::Inside(member.name.clone())));
        }
        check_name(name)?;
        if self.members.iter().any(|member| member.name == name) {
            return Err(Error::Refused(Reason::InUse(name.to_owned())));
        }
        post.send(from, OK);
        self.write(|message| write!(message, "{name} entered the chat room"));
        self.tell_all_but(from, post);
        let name = name.to_owned();
        say(format_args!("enter {name} {from}"))?;
        self.members.push(Member { peer: from, name });
        Ok(())
    }
    // ANCHOR_END: enter

    // ANCHOR: say
    fn say(&mut self, from: P, name: &str, text: &str, post: &mut impl Post<P>) -> Result {
        self.speaker(from, name)?;
        self.write(|message| {
            write!(message, "{name}: ")?;
            message.extend(clean(text));
            Ok(())
        });
        self.tell_all_but(from, post);
        Ok(())
    }
    // ANCHOR_END: say

    fn leave(&mut self, from: P, name: &str, post: &mut impl Post<P>) -> Result {
        self.speaker(from, name)?;
        post.send(from, EXIT);
        post.close(from);
        self.remove(from, post)
    }

    // ANCHOR: speaker
    /// Makes sure that who speaks in this name bears it. Who speaks is known by where it came from, and not by what it
    /// says: anybody can write any name.
    fn speaker(&self, from: P, name: &str) -> Result {
        match self.members.iter().find(|member| member.peer == from) {
            Some(member) if member.name == name => Ok(()),
            Some(member) => Err(Error::Refused(Reason::NotYou(member.name.clone()))),
            None => Err(Error::Refused(Reason::Stranger)),
        }
    }
    // ANCHOR_END: speaker

    /// Takes out whoever has left or is gone, and announces it. A peer that is no member may be gone, too.
    pub fn remove(&mut self, peer: P, post: &mut impl Post<P>) -> Result {
        let Some(at) = self.members.iter().position(|member| member.peer == peer) else {
            return Ok(());
        };
        let name = self.members.remove(at).name;
        self.write(|message| write!(message, "{name} left the chat room"));
        self.tell_all_but(peer, post);
        say(format_args!("leave {name} {peer}"))
    }

    /// Sends what the server itself has to say to all.
    pub fn announce(&self, message: &str, post: &mut impl Post<P>) {
        post.send_all(self.members.iter().map(|member| member.peer), message);
    }

    /// Tells at the end how many messages meant nothing, if any did.
    pub fn tell_malformed(&self) {
        if self.malformed > 0 {
            complain(format_args!("messages that meant nothing: {}", self.malformed));
        }
    }

    /// Makes the message to be sent.
    fn write(&mut self, text: impl FnOnce(&mut String) -> std::fmt::Result) {
        self.message.clear();
        // Writing to a String never fails.
        let _ = text(&mut self.message);
        self.message.push('\n');
    }

    fn tell_all_but(&self, one: P, post: &mut impl Post<P>) {
        let peers = self.members.iter().map(|member| member.peer);
        post.send_all(peers.filter(|peer| *peer != one), &self.message);
    }
}
