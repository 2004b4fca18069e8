//! Several programs at once, and sockets of the test that they talk to: the moment at which nothing moves any more.
//!
//! One witness knows when its own program sleeps. Of several programs each may wake another that was asleep a moment ago, and
//! what one sends to another travels in the kernel, while both sleep. So here is said how it is known of all together.

use crate::{
    barrier::end_softirqs,
    connection,
    peer::Peer,
    run::{Run, Running, Told},
    story::{Story, Traffic},
    verdict::Verdict,
    witness,
};
use nix::sys::signal::Signal;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
};

/// A program under observation that takes part in a conversation. When it is dropped, its run ends.
pub struct Party {
    running: Running,
    witness: i32,
}

impl Run {
    /// Starts the program, and waits until it sleeps or has ended. It may make many calls, and take its time.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn join(self) -> Verdict<Party> {
        let mut running = self.long().seconds(120).start()?;
        let witness = running.until_quiet()?.witness;
        Ok(Party { running, witness })
    }
}

impl Party {
    /// What has happened so far, when it sleeps.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn story(&mut self) -> Verdict<Story> {
        self.running.until_quiet()
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// As [`Running::input`].
    pub fn input(&mut self, bytes: &[u8]) -> Verdict {
        self.running.input(bytes)
    }

    /// Closes its standard input.
    ///
    /// # Errors
    /// As [`Running::input`].
    pub fn close_input(&mut self) -> Verdict {
        self.running.close_input()
    }

    /// Sends a signal to one of its processes, by name.
    ///
    /// # Errors
    /// As [`Running::signal`].
    pub fn signal(&mut self, name: &str, signal: Signal) -> Verdict {
        self.running.signal(name, signal)
    }

    /// What went over each of its sockets so far, when it sleeps.
    ///
    /// # Errors
    /// As [`Running::traffic`].
    pub fn traffic(&mut self) -> Verdict<Vec<Traffic>> {
        self.running.traffic()
    }

    /// It has come to its end, and every process of it.
    ///
    /// # Errors
    /// As [`Running::settle`].
    pub fn is_over(&mut self) -> Verdict<bool> {
        Ok(!self.running.settle()?)
    }

    /// Lets it come to its end.
    ///
    /// # Errors
    /// As [`Running::finish`].
    pub fn finish(self) -> Verdict<Told> {
        self.running.finish()
    }
}

/// Waits until nothing moves: everybody sleeps at the same moment, and nothing that they or the test have sent by datagram
/// is under way.
///
/// Two looks find every thread of every program off the processors and with the same count of times that it gave one up, so
/// that all of them have slept from the first look to the second; in between every witness says that its program sleeps (so
/// that nobody is merely stopped for a moment, on its way), and the kernel has delivered what was sent before the first
/// look. Had it woken anybody, the second look would show that. The sockets of the test then hold all that will come.
///
/// # Errors
/// As [`Running::settle`].
pub fn until_still(parties: &mut [&mut Party]) -> Verdict {
    until(parties, || true)
}

/// As [`until_still`], where the parties have connections with this TCP address too, and the test has these: nothing that
/// was sent over one of them, and for which there is room, is still on its way.
///
/// # Errors
/// As [`until_still`].
pub fn until_still_with(parties: &mut [&mut Party], address: SocketAddr, peers: &[&Peer]) -> Verdict {
    until(parties, || !on_its_way(address, peers))
}

/// What has been sent and arrived the other side may not have acknowledged yet: it takes its time for that, some 40 ms. Of
/// its own connections the test knows how much the kernel has not sent at all, and it acknowledges at once itself; of the
/// others it is waited for.
fn on_its_way(address: SocketAddr, peers: &[&Peer]) -> bool {
    let unsent: BTreeMap<SocketAddr, u64> = peers
        .iter()
        .map(|peer| (peer.address(), peer.held_back()))
        .collect();
    connection::all_with(address)
        .into_iter()
        .any(|(from, client, server)| match server {
            None => client.expects_more, // the server's end is gone; the news of it is on the way
            Some(server) => {
                let to_server = unsent.get(&from).copied().unwrap_or(client.unacknowledged);
                to_server > 0 && server.unread == 0 || server.unacknowledged > 0 && client.unread == 0
            }
        })
}

fn until(parties: &mut [&mut Party], has_arrived: impl Fn() -> bool) -> Verdict {
    loop {
        settle(parties)?;
        let Some(before) = looks(parties) else {
            continue;
        };
        deliver_all();
        let arrived = has_arrived();
        settle(parties)?;
        if arrived && looks(parties).is_some_and(|after| after == before) {
            return Ok(());
        }
    }
}

fn settle(parties: &mut [&mut Party]) -> Verdict {
    parties
        .iter_mut()
        .try_for_each(|party| party.running.settle().map(drop))
}

fn looks(parties: &[&mut Party]) -> Option<Vec<(i32, u64)>> {
    let each = parties.iter().map(|party| witness::look(party.witness));
    Some(each.collect::<Option<Vec<_>>>()?.concat())
}

/// What had been sent over loopback when this was called has arrived when it returns.
///
/// A datagram waits in the backlog of its sender's processor until a softirq of that processor takes it out and puts it into
/// the receiver's queue (`netif_rx` and `process_backlog` in the kernel's `net/core/dev.c`). So first every backlog has been
/// seen empty, and then every softirq that ran at that moment has come to its end. Twice, since what arrives at a closed
/// port is answered (`icmp(7)`), and the answer begins its way when the datagram ends its own.
pub(crate) fn deliver_all() {
    for _ in 0..2 {
        empty_backlogs();
        end_softirqs();
    }
}

/// Returns when each processor's backlog has been seen empty: how often one looks changes nothing in what is found.
fn empty_backlogs() {
    let mut seen = BTreeSet::new();
    loop {
        let backlogs = backlogs();
        let empty = backlogs.iter().enumerate().filter(|&(_, &waiting)| waiting == 0);
        seen.extend(empty.map(|(row, _)| row));
        if seen.len() >= backlogs.len() {
            return;
        }
        std::thread::yield_now();
    }
}

/// How many packets wait, for each processor that is online: the twelfth column (`softnet_seq_show` in the kernel's
/// `net/core/net-procfs.c`, since Linux 5.10). None where the file cannot be read or has fewer.
fn backlogs() -> Vec<u32> {
    let text = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    let column = |line: &str| u32::from_str_radix(line.split_whitespace().nth(11)?, 16).ok();
    text.lines().filter_map(column).collect()
}
