//! `just bench chat crowd`: 200 members talk for a minute, while some are killed and others come; then a stranger floods
//! the room. What is said is numbered, so that whatever is lost, comes twice or comes late is noticed; and at the end both
//! sides' counts of what was lost must explain whatever is missing.
//!
//! Some members are clients, of two processes each; the others are sockets of this process, and never read too late.

use std::collections::HashSet;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;

use super::flood::{self, Flood};
use super::guest::{Guest, Leaving};
use super::host::{Host, Log};
use crate::chart::thousands;
use crate::machine::{load_average, raise_files};
use crate::show::Progress;
use crate::{Result, named, sibling};

/// How many members there are, and every how many-eth of them is a client.
const MEMBERS: usize = 200;
const CLIENT: usize = 10;

/// How much is said in all, and how much at once: less than a receive buffer holds.
const LINES: usize = 10_000;
const AT_ONCE: usize = 8;

/// After how many of these bursts somebody is killed, on average.
const KILL: usize = 8;

/// How long somebody waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Crowd {
    pub host: Host,
    program: PathBuf,
    pub stream: bool,
    /// The first of them is never killed.
    pub guests: Vec<Guest>,
    /// What nobody has heard who should have.
    pub missing: usize,
    /// How much has been said.
    pub said: usize,
    /// What a stranger's flood has done.
    flood: Option<Flood>,
    entered: usize,
    killed: HashSet<String>,
    /// Whom the first has seen leave.
    left: Vec<String>,
    dice: Dice,
}

/// Numbers that nobody expects; the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

pub fn run(time: Duration, stream: bool) -> Result {
    // Of a client that is killed, the other process becomes ours: so we see that it ends.
    set_child_subreaper(true).map_err(named("prctl"))?;
    raise_files()?;
    let progress = Progress::new();
    let mut crowd = Crowd::gather(sibling("solution-chat")?, stream)?;
    crowd.talk(time, &progress)?;
    if !stream {
        progress.stage("flood");
        crowd.flood = Some(flood::run(&mut crowd)?);
    }
    progress.clear();
    let told = crowd.end_told()?;
    println!("{told}\nload average {}", load_average());
    Ok(())
}

impl Crowd {
    fn gather(program: PathBuf, stream: bool) -> Result<Crowd> {
        let mut crowd = Crowd {
            host: Host::start(&program, stream)?,
            program,
            stream,
            guests: Vec::new(),
            missing: 0,
            said: 0,
            flood: None,
            entered: 0,
            killed: HashSet::new(),
            left: Vec::new(),
            dice: Dice(1),
        };
        for nth in 0..MEMBERS {
            crowd.welcome(nth % CLIENT == CLIENT - 1)?;
        }
        Ok(crowd)
    }

    /// One more enters.
    fn welcome(&mut self, client: bool) -> Result {
        let (name, to) = (format!("m{}", self.entered), self.host.addr);
        let guest = match client {
            true => Guest::program(name, &self.program, to, self.stream),
            false => Guest::socket(name, to, self.stream),
        };
        self.guests.push(guest?);
        self.entered += 1;
        Ok(())
    }

    /// So much is said, evenly over the time, and some die.
    fn talk(&mut self, time: Duration, progress: &Progress) -> Result {
        let began = Instant::now();
        let mut told = 0;
        while self.said < LINES {
            let lines = (1 + self.dice.below(AT_ONCE)).min(LINES - self.said);
            self.burst(lines)?;
            if self.dice.below(KILL) == 0 {
                self.kill_some()?;
            }
            if self.said / 1000 > told {
                told = self.said / 1000;
                progress.stage(&format!(
                    "{} lines, {} killed",
                    thousands(self.said as f64),
                    self.killed.len()
                ));
            }
            let due = time.mul_f64(self.said as f64 / LINES as f64);
            thread::sleep(due.saturating_sub(began.elapsed()));
        }
        Ok(())
    }

    /// Several members say something, and then everybody hears it.
    pub fn burst(&mut self, lines: usize) -> Result {
        for _ in 0..lines {
            self.say()?;
        }
        self.listen()
    }

    /// Somebody says the next number; not the first, who listens.
    pub fn say(&mut self) -> Result {
        let by = 1 + self.dice.below(self.guests.len() - 1);
        self.say_as(by)
    }

    /// The same by a socket, which sends it at once.
    pub fn say_at_once(&mut self) -> Result {
        loop {
            let by = 1 + self.dice.below(self.guests.len() - 1);
            if !self.guests[by].is_program() {
                return self.say_as(by);
            }
        }
    }

    fn say_as(&mut self, by: usize) -> Result {
        self.guests[by].say(&self.said.to_string())?;
        self.said += 1;
        for (at, guest) in self.guests.iter_mut().enumerate() {
            guest.due += usize::from(at != by);
        }
        Ok(())
    }

    /// Everybody hears what there is; what is missing is counted, and waited for no more.
    fn listen(&mut self) -> Result {
        for at in 0..self.guests.len() {
            if !self.listen_for(at, PATIENCE, Guest::is_content)? {
                let guest = &mut self.guests[at];
                self.missing += guest.due - guest.heard;
                guest.due = guest.heard;
            }
        }
        Ok(())
    }

    /// The same of one guest, and until this is true; returns whether it is.
    pub fn listen_for(
        &mut self,
        at: usize,
        patience: Duration,
        done: impl Fn(&Guest) -> bool,
    ) -> Result<bool> {
        let left = &mut self.left;
        // What all are told, the first tells us.
        self.guests[at].listen(patience, done, &mut |line| {
            if at == 0 {
                see(line, left);
            }
        })
    }

    /// The first has heard the last that was said. It says a word itself, and when the others have heard that, whatever
    /// has not come never will. Returns how much the first has missed; what another has missed beyond that is missing.
    pub fn catch_up(&mut self) -> Result<usize> {
        let lines = self.guests[0].due - self.guests[0].heard;
        let last = self.said;
        self.say_as(0)?;
        for at in 0..self.guests.len() {
            if at > 0 && !self.listen_for(at, PATIENCE, |guest| guest.last == Some(last))? {
                return Err(format!("{} does not hear what others hear", self.guests[at].name));
            }
            let guest = &mut self.guests[at];
            self.missing += (guest.due - guest.heard).saturating_sub(lines);
            guest.due = guest.heard;
        }
        Ok(lines)
    }

    /// One to three are killed, and as many come in their place.
    fn kill_some(&mut self) -> Result {
        for _ in 0..=self.dice.below(3) {
            let at = 1 + self.dice.below(self.guests.len() - 1);
            let guest = self.guests.swap_remove(at);
            self.killed.insert(guest.name.clone());
            let client = guest.is_program();
            guest.die()?;
            // Nobody but who is told something notices that somebody is gone.
            self.burst(1)?;
            self.welcome(client)?;
        }
        Ok(())
    }

    /// All leave, and the server ends; returns what is to be told if all is well.
    fn end_told(mut self) -> Result<String> {
        self.burst(2)?;
        let mut counted = 0;
        let mut witness = self.guests.remove(0);
        for (nth, guest) in self.guests.drain(..).enumerate() {
            let by = if nth % 2 == 0 {
                Leaving::End
            } else {
                Leaving::Signal
            };
            counted += guest.leave(by, &mut |_| {})?;
            // What is announced now is heard in time.
            witness.look(&mut |line| see(line, &mut self.left))?;
        }
        counted += witness.leave(Leaving::End, &mut |_| {})?;
        let log = self.host.end()?;
        let seen: HashSet<&String> = self.left.iter().collect();
        if seen.len() < self.left.len() || !self.killed.iter().all(|name| seen.contains(name)) {
            return Err("not everyone who was killed was announced once as having left".into());
        }
        judge(&log, self.entered)?;
        let lost = log.number("lost ");
        let of_server = self.flood.as_ref().map_or(Ok(0), |flood| flood.judge(&log))?;
        if self.missing > counted + lost - of_server {
            let (missing, lost) = (self.missing, counted + lost - of_server);
            return Err(format!(
                "{missing} messages are missing, and {lost} were counted as lost"
            ));
        }
        Ok(format!(
            "{} lines to {MEMBERS} members, {} killed and replaced: {} deliveries missing, {counted} counted as lost; all who \
             were killed were announced, and no member and no process is left",
            thousands(self.said as f64),
            self.killed.len(),
            self.missing,
        ))
    }
}

/// Notes who has left, if this line says so.
fn see(line: &str, left: &mut Vec<String>) {
    left.extend(line.strip_suffix(" left the chat room").map(String::from));
}

/// The server let in so many, and saw each of them leave once; it ended as it should.
fn judge(log: &Log, entered: usize) -> Result {
    let names = |words| -> Vec<&str> {
        let lines = log.lines(words);
        lines.filter_map(|line| line.split(' ').next()).collect()
    };
    let (enters, leaves) = (names("enter "), names("leave "));
    let unique: HashSet<&&str> = leaves.iter().collect();
    match enters.len() == entered && leaves.len() == entered && unique.len() == entered {
        true if log.status.success() && log.stdout.ends_with("bye\n") => Ok(()),
        true => Err(format!("the server ended with {}: {}", log.status, log.stderr)),
        false => Err(format!(
            "{entered} entered; the server saw {} enter and {} leave",
            enters.len(),
            leaves.len()
        )),
    }
}

/// What stands after `crowd` on the command line.
pub fn run_with(args: &[&str]) -> Option<Result> {
    let (stream, rest) = match args {
        ["--stream", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let seconds = match rest {
        [] => 60,
        [seconds] => seconds.parse().ok()?,
        _ => return None,
    };
    Some(run(Duration::from_secs(seconds), stream))
}
