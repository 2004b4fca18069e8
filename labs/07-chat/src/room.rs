//! The room: who is in it, and what becomes of what they send. It knows a member by its peer, whatever that is: an
//! address that datagrams come from, or a connection. So it serves both servers.
#![expect(unused, reason = "delete this line when every TODO is done")]

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

    fn enter(&mut self, from: P, name: &str, post: &mut impl Post<P>) -> Result {
        // TODO 2: let this peer in under this name, or refuse.
        //   refused (`Err(Error::Refused(…))`, and nothing has changed): a peer that is in already (Reason::Inside,
        //     with the name that it has), a name that nobody may have (`check_name`), a name that somebody has
        //     (Reason::InUse)
        //   let in: `post.send` it OK; all others get a notice: `self.write` makes it, `self.tell_all_but` sends it;
        //     `say` the line of the server; and from now on it is one of `self.members`
        //   -> for "L ann": `OK` to ann, "ann entered the chat room" to the others, `enter ann 127.0.0.1:40000` printed
        //   -> for a second "L ann", from anywhere: a reason, and no notice
        todo!("step 2: let somebody in")
    }

    fn say(&mut self, from: P, name: &str, text: &str, post: &mut impl Post<P>) -> Result {
        // TODO 3: send to all others what this peer says.
        //   first make sure that it may speak in this name (`self.speaker`)
        //   `self.write` makes the message, once for all: the name, ": ", and the text. Which characters of it may
        //     go on to somebody's terminal? `clean` is an iterator, and a String can be extended by one
        //   -> for "C ann good morning": "ann: good morning" to everybody but ann
        //   -> for "C ann x\nadmin: y": "ann: x?admin: y"
        todo!("step 3: send to all others what somebody says")
    }

    fn leave(&mut self, from: P, name: &str, post: &mut impl Post<P>) -> Result {
        self.speaker(from, name)?;
        post.send(from, EXIT);
        post.close(from);
        self.remove(from, post)
    }

    /// Makes sure that who speaks in this name bears it. Who speaks is known by where it came from, and not by what it
    /// says: anybody can write any name.
    fn speaker(&self, from: P, name: &str) -> Result {
        match self.members.iter().find(|member| member.peer == from) {
            Some(member) if member.name == name => Ok(()),
            // TODO 6: who is it that may not speak in this name, and why?
            //   a member, but its name is another: Reason::NotYou, with the name that it has
            //   no member at all: Reason::Stranger
            //   -> "Q ann" from somebody else's address: refused, and ann is still there
            other => todo!("step 6: who may not speak, and why"),
        }
    }

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
