//! The client's other process: it receives, so that the one that reads the keyboard never has to wait for the
//! server. What it receives it hands over: only one may write to a screen where somebody is typing.

use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use crate::child::{self, Child, hand_over};
use crate::link::Link;
use crate::wait::{input, wait};
use crate::{Error, Result};

/// How long what is handed over may be: a datagram, and a byte that says what it is.
const LONGEST: usize = 64 * 1024 + 1;

/// What the receiver hands over.
pub enum News {
    /// The server has sent this.
    Message(Vec<u8>),
    /// A signal has come, to end the client.
    Signal,
    /// The server has sent `EXIT`: this was all.
    Exit,
    /// Nobody is there who receives what we send.
    NoAnswer,
    /// The server has closed the stream.
    HungUp,
    /// The receiver has failed, and this is why.
    Failed(String),
}

impl News {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            News::Message(message) => [b"m", message.as_slice()].concat(),
            News::Signal => b"s".to_vec(),
            News::Exit => b"e".to_vec(),
            News::NoAnswer => b"n".to_vec(),
            News::HungUp => b"h".to_vec(),
            News::Failed(why) => [b"f", why.as_bytes()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<News> {
        Some(match bytes.split_first()? {
            (b'm', message) => News::Message(message.to_vec()),
            (b's', _) => News::Signal,
            (b'e', _) => News::Exit,
            (b'n', _) => News::NoAnswer,
            (b'h', _) => News::HungUp,
            (_, why) => News::Failed(String::from_utf8_lossy(why).into_owned()),
        })
    }
}

/// Starts the receiver.
pub fn start(link: &mut Link, signals: &SignalFd) -> Result<Child> {
    child::start(|parent| {
        let last = match receive(&parent, link, signals) {
            Ok(last) => last,
            Err(Error::NoAnswer(_)) => News::NoAnswer,
            Err(Error::HungUp(_)) => News::HungUp,
            Err(error) => News::Failed(error.to_string()),
        };
        tell(&parent, &last);
        Ok(())
    })
}

// ANCHOR: receive
/// Hands over what comes, until there is nothing more to come; returns the last word.
fn receive(parent: &OwnedFd, link: &mut Link, signals: &SignalFd) -> Result<News> {
    loop {
        while let Some(message) = link.next() {
            match message.as_slice() {
                b"OK" => {}
                b"EXIT" => return Ok(News::Exit),
                _ => tell(parent, &News::Message(message)),
            }
        }
        // The parent sends nothing: what can be read there is only its end.
        let [orphaned, signal, heard] = wait([input(parent), input(signals), input(link)], None)?;
        if orphaned {
            return Ok(News::Exit);
        }
        if signal && ends(signals) {
            tell(parent, &News::Signal);
        }
        if heard {
            link.receive()?;
        }
    }
}
// ANCHOR_END: receive

/// Whether one of the signals that have come is to end us. (SIGCONT is not: see `Console::resume`.)
pub fn ends(signals: &SignalFd) -> bool {
    let come = std::iter::from_fn(|| signals.read_signal().ok().flatten());
    come.fold(false, |ends, signal| {
        ends | (signal.ssi_signo != Signal::SIGCONT as u32)
    })
}

/// What the receiver has to tell next. None: it has ended.
pub fn news(receiver: &Child) -> Result<Option<News>> {
    let mut buffer = vec![0; LONGEST];
    let len = receiver.hear(&mut buffer)?;
    Ok(News::from_bytes(&buffer[..len]))
}

/// Hands something over. If nobody takes it, the next look at the parent tells.
fn tell(parent: &OwnedFd, news: &News) {
    hand_over(parent, &news.to_bytes());
}
