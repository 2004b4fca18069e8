//! The client: this process reads the keyboard and sends; its child receives.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use crate::child::Child;
use crate::console::Console;
use crate::link::Link;
use crate::receiver::{self, News, ends, news};
use crate::wait::{input, output, signals, wait};
use crate::wire::LONGEST;
use crate::{Error, Result, say_lost};

/// How long the server has to answer who enters or leaves.
const PATIENCE: Duration = Duration::from_secs(5);

struct Client {
    link: Link,
    signals: SignalFd,
    console: Console,
    name: Vec<u8>,
}

pub fn run(server: SocketAddr, stream: bool) -> Result {
    // While this waits, a signal just ends us.
    let link = Link::connect(server, stream)?;
    use Signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut client = Client {
        link,
        signals: signals(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT])?,
        console: Console::open()?,
        name: Vec::new(),
    };
    let done = match client.enter() {
        Ok(true) => client.visit(),
        entered => entered.map(drop),
    };
    // The terminal first: it is to be as it was, whatever is still to be said.
    drop(client.console);
    done.and(say_lost(client.link.lost()))
}

impl Client {
    /// Asks for a name until the server takes one. False: there is none.
    fn enter(&mut self) -> Result<bool> {
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
                    self.console.show(&[b"welcome, ", name.as_slice()].concat())?;
                    self.name = name;
                    return Ok(true);
                }
                b"EXIT" => return Ok(false),
                reason => self.console.show(reason)?,
            }
        }
    }

    /// Sleeps until a line has been typed. None: the input has ended, or a signal has come.
    fn typed(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(line) = self.console.next() {
                return Ok(Some(line));
            }
            if self.console.ended() {
                return Ok(None);
            }
            let [signal, typed] = wait([input(&self.signals), input(&io::stdin())], None)?;
            if signal && self.is_to_end()? {
                return Ok(None);
            }
            if typed {
                self.console.read()?;
            }
        }
    }

    /// Sleeps until the server has answered. (A signal waits until then: whether we are in is to be known first.)
    fn answer(&mut self) -> Result<Vec<u8>> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = self.link.next() {
                return Ok(answer);
            }
            let [heard] = wait([input(&self.link)], Some(until))?;
            if !heard {
                return Err(Error::NoAnswer(self.link.server()));
            }
            self.link.receive()?;
        }
    }

    /// The time in the room: from the fork to the reaping of the child.
    fn visit(&mut self) -> Result {
        let receiver = receiver::start(&mut self.link, &self.signals)?;
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
        // TODO 4: say that we leave (`Q NAME`, by `self.link.send`), and wait until the server has heard it, PATIENCE at most.
        //   sleep (`wait`, with the time at which patience ends) until the receiver has something to tell: `input(receiver)`.
        //     A stream may be owed something, too: then also until it takes more (`output(&self.link)`), and `flush` it
        //   what the receiver tells (`news`): a message is shown, even if showing it fails; a signal says nothing new;
        //     anything else was its last word: `self.over` knows what it means
        //   nobody was ready, and the time is over: Error::NoAnswer
        //   -> the server prints `leave NAME PEER`, sends EXIT; the receiver ends by itself, and `visit` reaps it
        todo!("step 4: leave properly")
    }

    /// What it means that the receiver has ended.
    fn over(&self, last: Option<News>) -> Result {
        match last {
            Some(News::Exit) => Ok(()),
            Some(News::NoAnswer) => Err(Error::NoAnswer(self.link.server())),
            Some(News::HungUp) => Err(Error::HungUp(self.link.server())),
            _ => Err(Error::NoReceiver),
        }
    }

    /// The next line to be sent: none while the server is owed something.
    fn next_line(&mut self) -> Option<Vec<u8>> {
        if self.link.owes() {
            return None;
        }
        self.console.next()
    }

    /// Sends a message. False: it is too long.
    fn send(&mut self, message: &[&[u8]]) -> Result<bool> {
        let len: usize = message.iter().map(|part| part.len()).sum();
        if len > LONGEST {
            let why = format!("not sent: a message has {LONGEST} bytes at most");
            self.console.show(why.as_bytes())?;
            return Ok(false);
        }
        self.link.send(message)?;
        Ok(true)
    }

    /// What the signals that have come ask for. A terminal may have been another's meanwhile.
    fn is_to_end(&mut self) -> Result<bool> {
        let ends = ends(&self.signals);
        if !ends {
            self.console.resume()?;
        }
        Ok(ends)
    }
}
