//! A server under judgement: started, and given something to do whenever it sleeps.
//!
//! Stimuli go to a server that sleeps, and outcomes are judged when it sleeps again. "Nothing came back" is said only when
//! the server sleeps *and* nothing is under way between the two ends of a connection, which the kernel tells
//! (`connection.rs`). So no outcome depends on who was faster.

use crate::{
    barrier::end_softirqs,
    connection::{is_full, is_there, under_way},
    peer::{Peer, PeerEnd},
    run::{Run, Running, Told},
    story::{MAIN, Sleeper, Story, Traffic},
    tell::called,
    verdict::{Refusal, Verdict},
};
use nix::{errno::Errno, sys::signal::Signal};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    slice,
};

/// What came of one turn of a check with its peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// What was waited for has come about.
    Done,
    /// Bytes moved: another turn may move more.
    Moved,
    /// Nothing moved.
    Stuck,
}

/// A server that runs. When it is dropped, the run ends.
pub struct Server {
    running: Running,
    place: Place,
    /// How many peers have connected.
    connected: usize,
}

/// Where a server listens.
enum Place {
    Internet(SocketAddr),
    Path(PathBuf),
}

impl Run {
    /// Starts a server and waits until it sleeps. What it has printed must be `listening on ADDR`.
    ///
    /// # Errors
    /// A refusal; [`Refusal::Broken`] when there was no witness to be had.
    pub fn serve(self) -> Verdict<Server> {
        let mut running = self.long().seconds(120).start()?;
        let story = running.until_quiet()?;
        let stdout = story.stdout();
        let address = stdout
            .strip_prefix("listening on ")
            .and_then(|rest| rest.strip_suffix('\n'));
        let place = address.map(|address| match address.parse::<SocketAddr>() {
            Ok(address) => Place::Internet(address),
            Err(_) => Place::Path(Path::new(&story.directory).join(address)),
        });
        match place {
            Some(Place::Internet(address)) if address.port() == 0 => {
                let why = "Port 0 asks the kernel for a free port; getsockname tells which one it is.";
                Err(story.refusal(None, "the first line tells the true port", "it told port 0", why))
            }
            Some(place) if running.settle()? => Ok(Server {
                running,
                place,
                connected: 0,
            }),
            _ => {
                story.expect_over()?;
                let why = "Only when the server says so can anybody know that it listens, and on which port.";
                let printed = format!("standard output was {stdout:?}{}", story.said());
                Err(story.refusal(None, "the first line is \"listening on ADDR\"", printed, why))
            }
        }
    }
}

impl Server {
    /// Where it listens; `0.0.0.0:0` where that is a path.
    pub fn address(&self) -> SocketAddr {
        match self.place {
            Place::Internet(address) => address,
            Place::Path(_) => SocketAddr::from(([0; 4], 0)),
        }
    }

    /// The path on which it listens; empty where that is an address.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Internet(_) => Path::new(""),
            Place::Path(path) => path,
        }
    }

    /// A new peer, connected; the server may not have accepted it yet.
    ///
    /// # Errors
    /// A refusal when nobody listens any more, or there is no room for one more to wait.
    pub fn connect(&mut self) -> Verdict<Peer> {
        let first = self.try_to_connect();
        // Who let in as fast as others came would have room: it gets the time for that.
        let connected = match first {
            Err(Errno::EAGAIN) => {
                self.settle()?;
                self.try_to_connect()
            }
            _ => first,
        };
        match connected {
            Ok(peer) => {
                self.connected += 1;
                Ok(peer)
            }
            Err(Errno::EAGAIN) => Err(self.no_room()),
            Err(errno) => Err(self.not_connected(errno)),
        }
    }

    /// Never waits for the server: `EAGAIN` when its backlog is full.
    fn try_to_connect(&self) -> nix::Result<Peer> {
        let connected = match &self.place {
            Place::Internet(address) if is_full(*address) => return Err(Errno::EAGAIN),
            Place::Internet(address) => Peer::connect(*address),
            Place::Path(path) => Peer::connect_to_path(path),
        };
        connected.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }

    fn no_room(&mut self) -> Refusal {
        let happened = format!(
            "after {} connections the backlog had no room for one more, and the server let nobody in",
            self.connected
        );
        let why = "What listen(2) is told is how many may wait to be accepted; for one more, connect fails or takes seconds.";
        self.missed("who is not let in yet waits in the backlog", happened, why)
    }

    fn not_connected(&mut self, errno: Errno) -> Refusal {
        if let Err(refusal) = self.settle() {
            return refusal;
        }
        let to = match &self.place {
            Place::Internet(address) => address.to_string(),
            Place::Path(path) => path.display().to_string(),
        };
        let happened = format!("connect to {to} failed: {}", errno.desc());
        let why = "It was the one thing that it was started for.";
        self.refuse("the server takes connections", happened, why)
    }

    /// Resets this peer's connection; the server has heard of it, and done what it does then.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn reset(&mut self, peer: Peer) -> Verdict {
        let ends = (self.address(), peer.address());
        peer.reset();
        // A reset is not acknowledged: it has arrived when the kernel knows of no connection any more.
        while is_there(ends.0, ends.1) {
            self.settle()?;
            end_softirqs();
        }
        self.settle()
    }

    /// As many new peers; the server has seen all of them.
    ///
    /// # Errors
    /// As [`Server::connect`] and [`Server::settle`].
    pub fn connect_many(&mut self, count: usize) -> Verdict<Vec<Peer>> {
        let peers = (0..count).map(|_| self.connect()).collect::<Verdict<Vec<_>>>()?;
        self.settle()?;
        Ok(peers)
    }

    /// As many new peers, who come all at once: the server is stopped meanwhile, and lets in nobody before the last has come.
    ///
    /// # Errors
    /// As [`Server::connect_many`].
    pub fn connect_at_once(&mut self, count: usize) -> Verdict<Vec<Peer>> {
        self.running.signal("main", Signal::SIGSTOP)?;
        self.settle()?;
        let peers = (0..count).map(|_| self.connect()).collect::<Verdict<Vec<_>>>()?;
        self.running.signal("main", Signal::SIGCONT)?;
        self.settle()?;
        Ok(peers)
    }

    /// Waits until the server sleeps.
    ///
    /// # Errors
    /// A refusal when it has ended, or goes round in circles.
    pub fn settle(&mut self) -> Verdict {
        if self.running.settle()? {
            return Ok(());
        }
        let story = self.running.until_quiet()?;
        story.expect_over()?;
        let happened = format!("it {}{}", story.ending(), story.said());
        let why = "Whatever one client does, the others have done nothing to deserve the end of the server.";
        let at = story.end_of(MAIN).map(|(at, _)| at);
        Err(story.refusal(at, "the server serves until SIGINT or SIGTERM", happened, why))
    }

    /// The story so far, when the server sleeps.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn story(&mut self) -> Verdict<Story> {
        self.settle()?;
        self.running.until_quiet()
    }

    /// What went over each of its sockets so far, when it sleeps: without the rest of the story, which may be long.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn traffic(&mut self) -> Verdict<Vec<Traffic>> {
        self.settle()?;
        self.running.traffic()
    }

    /// In what its only process and thread sleeps.
    ///
    /// # Errors
    /// As [`Server::settle`]; a refusal when there are several, or none; not checked where nothing can be observed.
    pub fn sleeper(&mut self) -> Verdict<Sleeper> {
        let story = self.story()?;
        story.observed()?;
        match &story.asleep[..] {
            [sleeper] => Ok(sleeper.clone()),
            all => {
                let expected = "one process with one thread serves everybody, and sleeps";
                let names: Vec<&str> = all.iter().map(|sleeper| story.name(sleeper.who)).collect();
                let same = names.windows(2).all(|pair| pair[0] == pair[1]);
                let happened = match names[..] {
                    [name, _, ..] if same => format!("{name} has {} threads that sleep", all.len()),
                    _ => format!("there were {} that slept: {}", all.len(), names.join(", ")),
                };
                let why = "A thread or a process for each client costs its own stack and its own switches, and they must share what they know.";
                Err(story.refusal(None, expected, happened, why))
            }
        }
    }

    /// It sleeps in one of these calls, and nothing but an event or a signal will wake it.
    ///
    /// # Errors
    /// A refusal; as [`Server::sleeper`].
    pub fn expect_asleep_in(&mut self, calls: &[&str]) -> Verdict {
        let sleeper = self.sleeper()?;
        let (expected, is_it) = (calls[0], calls.contains(&sleeper.call.as_str()));
        let until = sleeper.blocking == crate::Blocking::Until;
        if is_it && until {
            return Ok(());
        }
        let happened = match is_it {
            true => format!(
                "it sleeps in {} with a timeout, and wakes for nothing again and again",
                sleeper.call
            ),
            false => format!("it sleeps in {}", called(&sleeper.call)),
        };
        let why = "With nothing to do a server costs nothing: it sleeps in the one call that tells it of all its clients.";
        Err(self.refuse(
            format!("an idle server sleeps in {expected}, without a timeout"),
            happened,
            why,
        ))
    }

    /// As [`Story::descriptors`], when it sleeps.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn descriptors(&mut self) -> Verdict<BTreeSet<String>> {
        Ok(self.story()?.descriptors())
    }

    /// As [`Story::expect_descriptors`], when it sleeps.
    ///
    /// # Errors
    /// A refusal; as [`Server::settle`].
    pub fn expect_descriptors(&mut self, at_rest: &BTreeSet<String>, clients: &str) -> Verdict {
        self.story()?.expect_descriptors(at_rest, clients)
    }

    /// Takes turns, and lets the server run between them, until `turn` is done; `false` when nothing moves any more: the
    /// server sleeps, and nothing is under way between it and `peers`, which are addresses of [`Peer`]s.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn drive(&mut self, peers: &[SocketAddr], mut turn: impl FnMut() -> Turn) -> Verdict<bool> {
        let mut quiet = 0;
        // Twice: what had arrived at the server by the end of the first look, it has dealt with by the second.
        while quiet < 2 {
            match self.look(peers, &mut turn)? {
                Turn::Done => return Ok(true),
                Turn::Moved => quiet = 0,
                Turn::Stuck => quiet += 1,
            }
        }
        Ok(false)
    }

    /// A turn, another when the server sleeps, and a last one when nothing is under way any more: what was under way may
    /// have arrived just before that was found.
    fn look(&mut self, peers: &[SocketAddr], turn: &mut impl FnMut() -> Turn) -> Verdict<Turn> {
        let first = turn();
        if first != Turn::Stuck {
            return Ok(first);
        }
        self.settle()?;
        let second = turn();
        if second != Turn::Stuck {
            return Ok(second);
        }
        if under_way(self.address(), peers) {
            // How often one looks changes nothing in what is found.
            end_softirqs();
            return Ok(Turn::Moved);
        }
        Ok(turn())
    }

    /// Lets everything come about that these peers have begun: all that was sent and can be taken, all that comes back.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn exchange(&mut self, peers: &mut [Peer]) -> Verdict {
        let addresses: Vec<SocketAddr> = peers.iter().map(Peer::address).collect();
        self.drive(&addresses, || {
            let moved = peers
                .iter_mut()
                .filter_map(|peer| peer.exchange().then_some(()))
                .count();
            if moved > 0 { Turn::Moved } else { Turn::Stuck }
        })?;
        Ok(())
    }

    /// Lets one peer send and receive until this is so, or nothing moves any more.
    ///
    /// # Errors
    /// As [`Server::settle`].
    pub fn until(&mut self, peer: &mut Peer, is_so: impl Fn(&Peer) -> bool) -> Verdict<bool> {
        let address = [peer.address()];
        self.drive(&address, || {
            if is_so(peer) {
                Turn::Done
            } else if peer.exchange() {
                Turn::Moved
            } else {
                Turn::Stuck
            }
        })
    }

    /// This peer has got exactly these bytes, and they are taken out of what it received. `case` says when, in words.
    ///
    /// # Errors
    /// A refusal; as [`Server::settle`].
    pub fn expect(&mut self, peer: &mut Peer, bytes: &[u8], case: &str) -> Verdict {
        self.expect_stream(
            peer,
            bytes.len(),
            |at, piece| bytes[at..].starts_with(piece),
            case,
        )
    }

    /// As [`Server::expect`], for bytes that are too many to be held: so many come, and of each piece `is_next` says whether
    /// it is what comes at this offset. It is not asked beyond the last.
    ///
    /// # Errors
    /// As [`Server::expect`].
    pub fn expect_stream(
        &mut self,
        peer: &mut Peer,
        len: usize,
        is_next: impl Fn(usize, &[u8]) -> bool,
        case: &str,
    ) -> Verdict {
        let (mut got, mut right, address) = (0, true, [peer.address()]);
        self.drive(&address, || {
            let moved = peer.exchange();
            let came = std::mem::take(&mut peer.received);
            right &= got + came.len() <= len && is_next(got, &came);
            got += came.len();
            match got >= len {
                true => Turn::Done,
                false if moved => Turn::Moved,
                false => Turn::Stuck,
            }
        })?;
        if right && got == len {
            return Ok(());
        }
        let happened = match peer.end {
            _ if got > len => format!("{got} bytes came back"),
            _ if got == len => "other bytes came back".to_owned(),
            Some(PeerEnd::Reset) => format!("{got} bytes came back, and then a reset"),
            Some(PeerEnd::Finished) => format!("{got} bytes came back, and then the end"),
            None => format!("{got} bytes came back, and the server sleeps"),
        };
        let why = "Everything that arrives is sent back, every byte of it and in its order, however it comes in pieces.";
        let expected = format!("{case}: {len} bytes come back, as they were sent");
        Err(self.missed(expected, happened, why))
    }

    /// The server has closed this peer's connection in order, and nothing more came before that.
    ///
    /// # Errors
    /// A refusal; as [`Server::settle`].
    pub fn expect_closed(&mut self, peer: &mut Peer, case: &str) -> Verdict {
        self.until(peer, |peer| peer.end.is_some())?;
        let happened = match (peer.received.len(), peer.end) {
            (0, Some(PeerEnd::Finished)) => return Ok(()),
            (0, None) => "the connection is still open, and the server sleeps".to_owned(),
            (_, Some(PeerEnd::Reset)) => "it was reset".to_owned(),
            (n, _) => format!("{n} more bytes came"),
        };
        let why = "Who has said that nothing more will come waits for the rest of the answer, and then for the end.";
        Err(self.missed(format!("{case}: the server closes the connection"), happened, why))
    }

    /// This peer's connection is open, and nothing has come over it that was not taken.
    ///
    /// # Errors
    /// A refusal; as [`Server::settle`].
    pub fn expect_open(&mut self, peer: &mut Peer, case: &str) -> Verdict {
        self.exchange(slice::from_mut(peer))?;
        let happened = match (peer.received.len(), peer.end) {
            (0, None) => return Ok(()),
            (0, Some(PeerEnd::Finished)) => "the server closed it".to_owned(),
            (0, Some(PeerEnd::Reset)) => "the server reset it".to_owned(),
            (n, _) => format!("{n} bytes came"),
        };
        let why = "A client that has not said that it is done is served until it does.";
        Err(self.missed(format!("{case}: the connection stays open"), happened, why))
    }

    /// A refusal with the story so far; "not checked" where nothing could be observed, since what is missing may be under
    /// way there.
    pub fn missed(
        &mut self,
        expected: impl Into<String>,
        happened: impl Into<String>,
        why: impl Into<String>,
    ) -> Refusal {
        match self.story().and_then(|story| story.observed()) {
            Ok(()) => self.refuse(expected, happened, why),
            Err(refusal) => refusal,
        }
    }

    /// A refusal with the story so far.
    pub fn refuse(
        &mut self,
        expected: impl Into<String>,
        happened: impl Into<String>,
        why: impl Into<String>,
    ) -> Refusal {
        match self.story() {
            Ok(story) => story.refusal(None, expected, happened, why),
            Err(refusal) => refusal,
        }
    }

    /// Ends it with this signal: it exits with 0.
    ///
    /// # Errors
    /// A refusal; as [`Run::run`].
    pub fn end(mut self, signal: Signal) -> Verdict<Told> {
        self.settle()?;
        self.running.signal("main", signal)?;
        let told = self.running.finish()?;
        told.expect_exit(0)?;
        Ok(told)
    }

    /// Lets it come to its end by itself.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn finish(self) -> Verdict<Told> {
        self.running.finish()
    }

    /// As [`Server::end`], and it says `bye`.
    ///
    /// # Errors
    /// A refusal; as [`Run::run`].
    pub fn stop(self, signal: Signal) -> Verdict<Told> {
        let told = self.end(signal)?;
        let stdout = told.stdout();
        let happened = format!(
            "the last line was {:?}",
            stdout.lines().next_back().unwrap_or_default()
        );
        let why = "SIGINT is the Ctrl-C of who started it, SIGTERM the wish of the system: a server takes its leave and goes.";
        told.demand(
            stdout.ends_with("\nbye\n"),
            None,
            format!("at {signal} the server prints \"bye\""),
            happened,
            why,
        )?;
        Ok(told)
    }
}
