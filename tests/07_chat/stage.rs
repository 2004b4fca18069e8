//! A client under judgement, and the check's own room for it: what it sends is looked at, and it is told what a server of
//! whatever make could tell it.

use super::{LAB, house::list};
use grader::{Ending, Mailbox, Party, Refusal, Run, Story, Told, Verdict, until_still};
use std::net::{Ipv4Addr, SocketAddr};

/// A client that runs, and a room.
pub struct Stage {
    pub client: Party,
    pub room: Mailbox,
    /// Where the client's messages come from, once one has come.
    from: Option<SocketAddr>,
}

/// A room that the check plays.
pub fn room() -> Verdict<Mailbox> {
    Mailbox::near(Ipv4Addr::LOCALHOST.into())
}

/// A run of the client in this room, with nothing typed yet.
pub fn client(address: SocketAddr) -> Run {
    LAB.command(&["client", &address.to_string()]).input("")
}

impl Stage {
    /// A client that has asked for a name.
    pub fn open() -> Verdict<Self> {
        Self::with(|run| run)
    }

    /// As [`Stage::open`], with more ordered of its run.
    pub fn with(order: impl Fn(Run) -> Run) -> Verdict<Self> {
        let room = room()?;
        let mut stage = Self::of(order(client(room.address())), room)?;
        stage.expect_shown("name: ", "it has just been started")?;
        Ok(stage)
    }

    /// The client that this run starts, in this room.
    pub fn of(run: Run, room: Mailbox) -> Verdict<Self> {
        Ok(Self {
            client: run.join()?,
            room,
            from: None,
        })
    }

    /// A client that has entered under this name.
    pub fn inside(name: &str) -> Verdict<Self> {
        Self::inside_with(name, |run| run)
    }

    /// As [`Stage::inside`], with more ordered of its run.
    pub fn inside_with(name: &str, order: impl Fn(Run) -> Run) -> Verdict<Self> {
        let mut stage = Self::with(order)?;
        stage.types(&format!("{name}\n"))?;
        stage.expect_sent(&[format!("L {name}")], "a name was typed")?;
        stage.tell("OK")?;
        stage.expect_shown(&format!("name: welcome, {name}\n"), "the room has answered OK")?;
        Ok(stage)
    }

    pub fn types(&mut self, text: &str) -> Verdict {
        self.client.input(text.as_bytes())
    }

    /// Everything has come about; the client may have ended.
    pub fn still(&mut self) -> Verdict {
        until_still(&mut [&mut self.client])
    }

    /// What has come from the client since the last look.
    pub fn sent(&mut self) -> Verdict<Vec<String>> {
        self.still()?;
        self.room.pull();
        let came = self.room.take();
        self.from = came.last().map(|(from, _)| *from).or(self.from);
        let text = |(_, bytes): (_, Vec<u8>)| String::from_utf8_lossy(&bytes).trim_matches('\n').to_owned();
        Ok(came.into_iter().map(text).collect())
    }

    /// Exactly these messages have come from the client.
    pub fn expect_sent(&mut self, wanted: &[impl AsRef<str>], case: &str) -> Verdict {
        let sent = self.sent()?;
        if sent
            .iter()
            .map(String::as_str)
            .eq(wanted.iter().map(AsRef::as_ref))
        {
            return Ok(());
        }
        let story = self.client.story()?;
        story.expect_over()?; // it may have been stopped, since it never slept
        let expected = format!("{case}: the client sends {}", list(wanted));
        let happened = format!("it sent {}{}", list(&sent), story.said());
        let why = "One message a datagram, in the words of the wire: the server understands no others.";
        Err(story.refusal(None, expected, happened, why))
    }

    /// Where its messages come from; nowhere, before one has come.
    pub fn from(&self) -> SocketAddr {
        self.from.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    /// Tells the client this.
    pub fn tell(&mut self, text: &str) -> Verdict {
        self.tell_bytes(text.as_bytes())
    }

    /// As [`Stage::tell`], for what need not be text.
    pub fn tell_bytes(&mut self, bytes: &[u8]) -> Verdict {
        match self.from {
            Some(from) => self.room.send(from, bytes),
            None => Err(Refusal::Broken("the client has said nothing yet".to_owned())),
        }
    }

    /// All that the client has printed.
    pub fn expect_shown(&mut self, text: &str, case: &str) -> Verdict {
        self.still()?;
        let story = self.client.story()?;
        let shown = story.stdout();
        story.expect_over()?;
        let why = "What comes is shown as soon as it comes, and nothing else is.";
        let expected = format!("{case}: standard output is {text:?}");
        let happened = format!("it is {shown:?}{}", story.said());
        story.demand(shown == text, None, expected, happened, why)
    }

    pub fn story(&mut self) -> Verdict<Story> {
        self.client.story()
    }
}

/// A client that should have ended by now has: with this status, and nobody of it is left.
pub fn expect_left(mut client: Party, status: i32, case: &str) -> Verdict<Told> {
    let over = client.is_over()?;
    let story = client.story()?;
    let why = "Who has left the room wants his prompt back, and no process of the client is of use to anybody then.";
    let main_ended = story.status.is_some();
    let happened = match (over, main_ended) {
        (true, _) => String::new(),
        (false, true) => "main had ended, and its child was still there".to_owned(),
        (false, false) => format!("it did not end: {}", asleep(&story)),
    };
    story.demand(over, None, format!("{case}: the client ends"), happened, why)?;
    let told = client.finish()?;
    told.expect_over()?;
    let expected = format!("{case}: the client's exit status is {status}");
    let happened = format!("it {}{}", told.ending(), told.said());
    told.demand(
        told.status == Some(Ending::Exited(status)),
        None,
        expected,
        happened,
        why,
    )?;
    told.expect_all_reaped()?;
    Ok(told)
}

fn asleep(story: &Story) -> String {
    let each = story
        .asleep
        .iter()
        .map(|sleeper| format!("{} sleeps in {}", story.name(sleeper.who), sleeper.call));
    each.collect::<Vec<_>>().join(", ")
}
