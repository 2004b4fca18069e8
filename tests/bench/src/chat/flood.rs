//! A stranger floods the room with what means nothing, while the members talk.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::crowd::Crowd;
use super::guest::Guest;
use super::host::Log;
use crate::chart::thousands;
use crate::{Result, named};

/// How many datagrams the stranger sends, and after how many of them a member says something.
const DATAGRAMS: usize = 100_000;
const APART: usize = 1000;

/// From where to where the server is held, so that its buffer overflows for certain.
const HELD: std::ops::Range<usize> = 40_000..80_000;

/// How many lines are said when it is over.
const AFTER: usize = 100;

/// How often a member tries to be heard when it is over, and how long each time.
const ATTEMPTS: usize = 50;
const PATIENCE: Duration = Duration::from_millis(200);

/// What it has done.
pub struct Flood {
    /// How much of what members said nobody has heard.
    lines: usize,
    /// How many reasons the stranger was told, and in how many seconds.
    told: usize,
    seconds: u64,
}

pub fn run(crowd: &mut Crowd) -> Result<Flood> {
    let stranger = UdpSocket::bind("127.0.0.1:0").map_err(named("bind"))?;
    stranger.connect(crowd.host.addr).map_err(named("connect"))?;
    stranger.set_nonblocking(true).map_err(named("fcntl"))?;
    let began = Instant::now();
    let mut told = 0;
    for nth in 0..DATAGRAMS {
        if nth == HELD.start {
            crowd.host.signal(Signal::SIGSTOP)?;
        }
        if nth == HELD.end {
            crowd.host.signal(Signal::SIGCONT)?;
        }
        if nth % APART == 0 {
            crowd.say_at_once()?;
            told += answers(&stranger)?;
        }
        stranger.send(b"\xff\x1b[2J").map_err(named("send"))?;
    }
    let lines = come_through(crowd)?;
    told += answers(&stranger)?;
    let seconds = began.elapsed().as_secs();
    after(crowd, &stranger)?;
    Ok(Flood { lines, told, seconds })
}

/// Members speak until one of them is heard, and by then the server has read all that came before; returns how many lines it
/// has not heard.
fn come_through(crowd: &mut Crowd) -> Result<usize> {
    for _ in 0..ATTEMPTS {
        let last = crowd.said;
        crowd.say_at_once()?;
        let heard = |guest: &Guest| guest.last == Some(last);
        if crowd.listen_for(0, PATIENCE, heard)? {
            return crowd.catch_up();
        }
    }
    Err("after a flood nobody is heard any more".into())
}

/// The flood is over: everybody hears everything, and nothing that the stranger says in the name of the first.
fn after(crowd: &mut Crowd, stranger: &UdpSocket) -> Result {
    let missing = crowd.missing;
    for words in ["C m0 forged", "Q m0"] {
        stranger.send(words.as_bytes()).map_err(named("send"))?;
    }
    for _ in 0..AFTER {
        crowd.burst(1)?;
    }
    match crowd.missing - missing {
        0 => Ok(()),
        lost => Err(format!("{lost} messages were lost when the flood was over")),
    }
}

/// Takes what the stranger has been told; returns how many reasons that was.
fn answers(stranger: &UdpSocket) -> Result<usize> {
    let mut buffer = [0; 2048];
    for told in 0.. {
        match stranger.recv(&mut buffer) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(told),
            Err(error) => return Err(named("recv")(error)),
        }
    }
    Ok(0)
}

impl Flood {
    /// Each datagram of the stranger, and each line, was read by the server or counted as lost; returns how many were
    /// lost there.
    pub fn judge(&self, log: &Log) -> Result<usize> {
        let (lost, read) = (
            log.number("lost "),
            log.complaint("chat: messages that meant nothing: "),
        );
        if self.told as u64 > 1 + self.seconds {
            return Err(format!(
                "in {} s the stranger was told {} reasons",
                self.seconds, self.told
            ));
        }
        if lost + read != DATAGRAMS + self.lines {
            return Err(format!(
                "of {DATAGRAMS} datagrams and {} lines the server read {read}, and counted {lost} as lost",
                self.lines
            ));
        }
        println!(
            "{} datagrams of a stranger: {} read, {} and {} lines of members dropped, as the server's count says; {} reasons \
             told in {} s, and nothing lost after",
            thousands(DATAGRAMS as f64),
            thousands(read as f64),
            thousands((lost - self.lines) as f64),
            self.lines,
            self.told,
            self.seconds,
        );
        Ok(lost)
    }
}
