//! A server under judgement, and the check's own members, each with a socket of his own.

use super::LAB;
use grader::{Mailbox, Party, Refusal, Run, SignalName, Story, Told, Verdict, until_still};
use std::net::SocketAddr;

/// A server that runs, and where it is.
pub struct House {
    pub server: Party,
    pub address: SocketAddr,
}

/// A socket of the check's own in front of a server: a member, or a stranger.
pub struct Guest {
    mailbox: Mailbox,
    pub name: String,
    server: SocketAddr,
}

const HERE: &str = "127.0.0.1:0";

impl House {
    /// A server on a free port, with nothing on its standard input, which stays open.
    pub fn open() -> Verdict<Self> {
        Self::of(server(&[HERE]))
    }

    /// The server that this run starts.
    pub fn of(run: Run) -> Verdict<Self> {
        let (server, address) = opened(run)?;
        Ok(Self { server, address })
    }

    /// Everybody sleeps, nothing is under way, and the server is there.
    pub fn still(&mut self) -> Verdict {
        until_still(&mut [&mut self.server])?;
        expect_there(&mut self.server)
    }

    /// Somebody who has not said anything yet.
    pub fn guest(&self, name: &str) -> Verdict<Guest> {
        Ok(Guest {
            mailbox: Mailbox::near(self.address.ip())?,
            name: name.to_owned(),
            server: self.address,
        })
    }

    /// A new member. What the others are told of him they have been told.
    pub fn enter(&mut self, name: &str) -> Verdict<Guest> {
        let mut guest = self.guest(name)?;
        guest.send(&format!("L {name}"))?;
        self.expect(&mut guest, &["OK"], &format!("a guest sends \"L {name}\""))?;
        Ok(guest)
    }

    /// New members `m0`, `m1`, … who have all been let in, and have been told of each other.
    pub fn enter_many(&mut self, count: usize) -> Verdict<Vec<Guest>> {
        let mut all: Vec<Guest> = Vec::new();
        for i in 0..count {
            let guest = self.guest(&format!("m{i}"))?;
            guest.send(&format!("L {}", guest.name))?;
            all.push(guest);
            if i % 100 == 99 || i + 1 == count {
                self.still()?; // a hundred datagrams are what a buffer holds, that of each of them too
                all.iter_mut().for_each(Guest::pull);
            }
        }
        for (i, guest) in all.iter_mut().enumerate() {
            let mut wanted = vec!["OK".to_owned()];
            wanted.extend((i + 1..count).map(|later| format!("m{later} entered the chat room")));
            let heard = guest.take();
            if heard != wanted {
                let case = format!("{count} members enter one after the other");
                return Err(self.not_heard(guest, &wanted, &heard, &case));
            }
        }
        Ok(all)
    }

    /// This guest has heard exactly these messages since the last look, in this order.
    pub fn expect(&mut self, guest: &mut Guest, wanted: &[impl AsRef<str>], case: &str) -> Verdict {
        self.still()?;
        let heard = guest.hear();
        let wanted: Vec<String> = wanted.iter().map(|line| line.as_ref().to_owned()).collect();
        match heard == wanted {
            true => Ok(()),
            false => Err(self.not_heard(guest, &wanted, &heard, case)),
        }
    }

    fn not_heard(&mut self, guest: &Guest, wanted: &[String], heard: &[String], case: &str) -> Refusal {
        let expected = format!("{case}: {} gets {}", guest.called(), list(wanted));
        let why = "Everybody gets what the others have said, once and in order, and nobody anything else.";
        self.refuse(expected, format!("he got {}", list(heard)), why)
    }

    /// This guest has got exactly one message, a reason: in words, and neither `OK` nor `EXIT`.
    pub fn expect_reason(&mut self, guest: &mut Guest, case: &str) -> Verdict {
        self.still()?;
        let heard = guest.hear();
        let is_reason = |line: &String| !line.trim().is_empty() && line != "OK" && line != "EXIT";
        if heard.len() == 1 && heard.iter().all(is_reason) {
            return Ok(());
        }
        let expected = format!("{case}: {} gets one message, which says why not", guest.called());
        Err(self.refuse(expected, format!("he got {}", list(&heard)), not_refused(&heard)))
    }

    /// What the server has printed so far, after its first line.
    pub fn expect_lines(&mut self, lines: &[String]) -> Verdict {
        self.still()?;
        let first = format!("chat room on {}", self.address);
        let all: Vec<&str> = std::iter::once(first.as_str())
            .chain(lines.iter().map(String::as_str))
            .collect();
        self.server.story()?.expect_lines(&all)
    }

    /// The story so far, when it sleeps.
    pub fn story(&mut self) -> Verdict<Story> {
        self.server.story()
    }

    /// A refusal with the story so far.
    pub fn refuse(&mut self, expected: impl Into<String>, happened: impl Into<String>, why: &str) -> Refusal {
        match self.story() {
            Ok(story) => story.refusal(None, expected, happened, why),
            Err(refusal) => refusal,
        }
    }

    /// Ends the room with this signal: `bye`, exit status 0, and nobody is left.
    pub fn close(mut self, signal: SignalName) -> Verdict<Told> {
        self.still()?;
        taken_leave(self.server, signal)
    }
}

/// What is wrong with it that somebody got this, and not a reason.
pub fn not_refused(heard: &[String]) -> &'static str {
    match heard.contains(&"OK".to_owned()) {
        true => "OK lets him in: whatever is wrong with that must be found out before anything is changed.",
        false => "Who is refused and not told why tries the same again.",
    }
}

/// The server that this run starts, and where it says that it is; over TCP too.
pub fn opened(run: Run) -> Verdict<(Party, SocketAddr)> {
    let mut server = run.join()?;
    let story = server.story()?;
    let stdout = story.stdout();
    let told = stdout
        .strip_prefix("chat room on ")
        .and_then(|rest| rest.strip_suffix('\n'));
    match told.and_then(|told| told.parse::<SocketAddr>().ok()) {
        Some(address) if address.port() != 0 && story.status.is_none() => Ok((server, address)),
        _ => {
            story.expect_over()?;
            let happened = format!("standard output was {stdout:?}{}", story.said());
            let why =
                "Only when the server says so can anybody know that the room is open, and on which port.";
            Err(story.refusal(None, "the first line is \"chat room on ADDR\"", happened, why))
        }
    }
}

/// The server has not ended.
pub fn expect_there(server: &mut Party) -> Verdict {
    if !server.is_over()? {
        return Ok(());
    }
    let story = server.story()?;
    story.expect_over()?;
    let happened = format!("it ended{}", story.said());
    let why = "Whatever one of them does, the others have done nothing to deserve the end of the room.";
    Err(story.refusal(None, "the server serves until SIGINT or SIGTERM", happened, why))
}

/// What a server does that gets this signal: `bye`, exit status 0, and nobody is left.
pub fn taken_leave(mut server: Party, signal: SignalName) -> Verdict<Told> {
    server.signal("main", signal)?;
    let told = server.finish()?;
    told.expect_over()?;
    told.expect_exit(0)?;
    let stdout = told.stdout();
    let last = stdout.lines().next_back().unwrap_or_default();
    let why = "SIGINT is the Ctrl-C of who started it, SIGTERM the wish of the system: a server takes its leave and goes.";
    told.demand(
        stdout.ends_with("\nbye\n"),
        None,
        format!("at {signal} the server prints \"bye\""),
        format!("the last line was {last:?}"),
        why,
    )?;
    Ok(told)
}

/// A run of the server with these arguments.
pub fn server(args: &[&str]) -> Run {
    LAB.command(&[&["server"], args].concat()).input("")
}

impl Guest {
    /// Where he is: the PEER of the server's lines.
    pub fn address(&self) -> SocketAddr {
        self.mailbox.address()
    }

    fn called(&self) -> &str {
        match self.name.as_str() {
            "" => "a stranger",
            name => name,
        }
    }

    /// Sends this as one datagram.
    pub fn send(&self, text: &str) -> Verdict {
        self.send_bytes(text.as_bytes())
    }

    /// As [`Guest::send`], for what need not be text.
    pub fn send_bytes(&self, bytes: &[u8]) -> Verdict {
        self.mailbox.send(self.server, bytes)
    }

    /// Says something, in his own name.
    pub fn say(&self, text: &str) -> Verdict {
        self.send(&format!("C {} {text}", self.name))
    }

    /// Everything that has come and has not been taken yet, without newlines around it.
    pub fn hear(&mut self) -> Vec<String> {
        self.mailbox.pull();
        self.take()
    }

    /// The kernel's buffer is emptied; what was in it is heard later.
    pub fn pull(&mut self) {
        self.mailbox.pull();
    }

    fn take(&mut self) -> Vec<String> {
        let server = self.server;
        let of_server = |(from, bytes): (SocketAddr, Vec<u8>)| {
            let text = String::from_utf8_lossy(&bytes).trim_matches('\n').to_owned();
            match from == server {
                true => text,
                false => format!("{text} (from {from}, which is not the server)"),
            }
        };
        self.mailbox.take().into_iter().map(of_server).collect()
    }

    /// Goes away without a word: nobody has his port any more.
    pub fn vanish(self) {
        self.mailbox.close();
    }
}

/// What these have heard so far is of no interest.
pub fn forget(all: &mut [&mut Guest]) {
    all.iter_mut().for_each(|guest| drop(guest.hear()));
}

/// `nothing`, or the messages; of many the first and the last.
pub fn list(lines: &[impl AsRef<str>]) -> String {
    let quoted = |line: &dyn AsRef<str>| quoted(line.as_ref());
    match lines {
        [] => "nothing".to_owned(),
        [first, .., last] if lines.len() > 6 => {
            format!(
                "{} messages, from {} to {}",
                lines.len(),
                quoted(first),
                quoted(last)
            )
        }
        all => all.iter().map(|line| quoted(line)).collect::<Vec<_>>().join(", "),
    }
}

/// A message; of a long one how it begins, and how long it is.
fn quoted(line: &str) -> String {
    match line.char_indices().nth(200) {
        None => format!("{line:?}"),
        Some(_) => {
            let begin: String = line.chars().take(30).collect();
            format!("{begin:?}… ({} bytes)", line.len())
        }
    }
}
