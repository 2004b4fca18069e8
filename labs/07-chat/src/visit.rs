//! The client in the room: from the fork to the reaping of the child that receives.
#![expect(unused, reason = "delete this line when every TODO is done")]

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

    /// Says that we leave, and waits until the server has heard it.
    fn leave(&mut self, receiver: &Child) -> Result {
        // TODO 4: say that we leave (`Q NAME`, by `self.link.send`), and wait until the server has heard it: PATIENCE.
        //   sleep (`wait`, with the time at which patience ends) until the receiver has something to tell:
        //     `input(receiver)`. A stream may be owed something, too: then also until it takes more
        //     (`output(&self.link)`), and `flush` it
        //   what the receiver tells (`news`): a message is shown, even if showing it fails; a signal says nothing new;
        //     anything else was its last word: `self.over` knows what it means
        //   the time is over, whatever others may have said meanwhile: Error::NoAnswer
        //   -> the server prints `leave NAME PEER`, sends EXIT; the receiver ends by itself, and `visit` reaps it
        todo!("step 4: leave properly")
    }

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
