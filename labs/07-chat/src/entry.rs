//! The client at the door: it asks for a name until the server takes one. One process is enough for that.

use std::io;
use std::time::Instant;

use crate::client::{Client, PATIENCE};
use crate::wait::{input, wait};
use crate::{Error, Result};

impl Client {
    /// Asks for a name until the server takes one. False: there is none.
    pub fn enter(&mut self) -> Result<bool> {
        loop {
            self.console.ask("name: ")?;
            let Some(name) = self.typed()?.filter(|name| name != b"q") else {
                return Ok(false);
            };
            if !self.send(&[b"L ", &name])? {
                continue;
            }
            match self.answer()?.as_slice() {
                b"OK" => {
                    self.name = name;
                    return Ok(true);
                }
                b"EXIT" => return Ok(false),
                reason => self.console.show(reason)?,
            }
        }
    }

    /// Sleeps until a line has been typed. None: the input has ended, a signal has come, or the server has said EXIT.
    fn typed(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.is_shown_out() {
                return Ok(None);
            }
            if let Some(line) = self.next_line() {
                return Ok(Some(line));
            }
            if self.console.ended() {
                return Ok(None);
            }
            let stdin = io::stdin();
            let watched = [input(&self.signals), input(&self.link), input(&stdin)];
            let [signal, heard, typed] = wait(watched, None)?;
            if signal && self.is_to_end()? {
                return Ok(None);
            }
            // First all that has come: or an answer that came twice would be taken for that to the next name.
            if heard {
                self.link.receive()?;
            } else if typed {
                self.console.read()?;
            }
        }
    }

    /// Takes what has come before we ask: it answers nothing. True: it was EXIT.
    fn is_shown_out(&mut self) -> bool {
        std::iter::from_fn(|| self.link.next()).any(|message| message == b"EXIT")
    }

    /// Sleeps until the server has answered. (A signal waits until then: whether we are in is to be known first.)
    fn answer(&mut self) -> Result<Vec<u8>> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(answer) = self.link.next() {
                return Ok(answer);
            }
            let [heard] = wait([input(&self.link)], Some(until))?;
            if heard {
                self.link.receive()?;
            }
        }
        Err(Error::NoAnswer(self.link.server()))
    }
}
