//! The client: this process reads the keyboard and sends; its child receives.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use crate::console::Console;
use crate::link::Link;
use crate::receiver::ends;
use crate::wait::signals;
use crate::wire::LONGEST;
use crate::{Result, say_lost};

/// How long the server has to answer who enters or leaves.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What a client consists of. `entry.rs` and `visit.rs` are what it does.
pub struct Client {
    pub link: Link,
    pub signals: SignalFd,
    pub console: Console,
    /// Empty until the server has taken one.
    pub name: Vec<u8>,
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
    /// The next line to be sent: none while the server is owed something. A message is text: what is no UTF-8 is
    /// marked, as it was on the screen.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        if self.link.owes() {
            return None;
        }
        let line = self.console.next()?;
        Some(String::from_utf8_lossy(&line).into_owned().into_bytes())
    }

    /// Sends a message. False: it is too long.
    pub fn send(&mut self, message: &[&[u8]]) -> Result<bool> {
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
    pub fn is_to_end(&mut self) -> Result<bool> {
        let ends = ends(&self.signals);
        if !ends {
            self.console.resume()?;
        }
        Ok(ends)
    }
}
