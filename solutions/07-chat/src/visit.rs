//! The client in the room: from the fork to the reaping of the child that receives.

use std::io;
use std::time::Instant;

use crate::child::Child;
use crate::client::{Client, PATIENCE};
use crate::receiver::{self, News, news};
use crate::wait::{input, output, wait};
use crate::{Error, Result};

impl Client {
    /// Talks until somebody ends it. A server that is not there any more is not told.
    pub fn visit(&mut self) -> Result {
        let receiver = match receiver::start(&mut self.link, &self.signals) {
            Ok(receiver) => receiver,
            Err(error) => {
                // The server has let us in: it is to know that we do not come.
                self.link.send(&[b"Q ", &self.name])?;
                return Err(error);
            }
        };
        match self.talk(&receiver) {
            Ok(true) => self.leave(&receiver),
            Ok(false) => Ok(()),
            Err(error @ (Error::NoAnswer(_) | Error::HungUp(_))) => Err(error),
            Err(error) => {
                // Whatever it is, the others are to know that we leave. The first error is the one to tell.
                let _ = self.leave(&receiver);
                Err(error)
            }
        }
    }

    // ANCHOR: talk
    /// Sends what is typed, and shows what comes. True: we are to leave; false: the server has ended it.
    fn talk(&mut self, receiver: &Child) -> Result<bool> {
        self.console
            .show(&[b"welcome, ", self.name.as_slice()].concat())?;
        loop {
            while let Some(line) = self.next_line() {
                if line == b"q" {
                    return Ok(true);
                }
                self.send(&[b"C ", &self.name.clone(), b" ", &line])?;
            }
            // Who reads no more has no use for what we type next.
            let owes = self.link.owes();
            if self.console.ended() && !owes {
                return Ok(true);
            }
            let stdin = io::stdin();
            let hands = if owes { output(&self.link) } else { input(&stdin) };
            let watched = [input(&self.signals), input(receiver), hands];
            let [signal, told, ready] = wait(watched, None)?;
            if signal && self.is_to_end()? {
                return Ok(true);
            }
            if told {
                match news(receiver)? {
                    Some(News::Message(message)) => self.console.show(&message)?,
                    Some(News::Signal) => return Ok(true),
                    other => return self.over(other).map(|()| false),
                }
            }
            if ready && owes {
                self.link.flush()?;
            } else if ready {
                self.console.read()?;
            }
        }
    }
    // ANCHOR_END: talk

    // ANCHOR: leave
    /// Says that we leave, and waits until the server has heard it.
    fn leave(&mut self, receiver: &Child) -> Result {
        self.link.send(&[b"Q ", &self.name])?;
        let until = Instant::now() + PATIENCE;
        // By the clock: what others say meanwhile is no answer.
        while Instant::now() < until {
            let hands = self.link.owes().then(|| output(&self.link)).flatten();
            let [told, ready] = wait([input(receiver), hands], Some(until))?;
            if ready {
                self.link.flush()?;
            }
            if told {
                match news(receiver)? {
                    // Perhaps nobody can read it any more; we leave all the same.
                    Some(News::Message(message)) => drop(self.console.show(&message)),
                    Some(News::Signal) => {}
                    other => return self.over(other),
                }
            }
        }
        Err(Error::NoAnswer(self.link.server()))
    }
    // ANCHOR_END: leave

    /// What it means that the receiver has ended.
    fn over(&self, last: Option<News>) -> Result {
        match last {
            Some(News::Exit) => Ok(()),
            Some(News::NoAnswer) => Err(Error::NoAnswer(self.link.server())),
            Some(News::HungUp) => Err(Error::HungUp(self.link.server())),
            Some(News::Failed(why)) => Err(Error::Receiver(why)),
            _ => Err(Error::Receiver("the receiver has ended".to_owned())),
        }
    }
}
