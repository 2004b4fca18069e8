//! How a process knows that another one has ended: by the kernel's word, or by a guess.

use crate::{
    calls::{Blocking, Family},
    story::{Call, Proc, Sleeper, Story, What},
    verdict::Verdict,
};
use nix::libc;

impl Story {
    /// When `dying` was let go to its end (the run must hold exits), `waiting` slept in a call that the kernel ends once
    /// `dying` is wholly gone, its children given away and it a zombie: a wait for it (by its parent), a pidfd, or a signal.
    /// Not a sleep for a time, and not the end of a pipe, the release of a lock or the like, which come before.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_woken_by_end(&self, dying: Proc, waiting: Proc) -> Verdict {
        self.observed()?;
        let (happened, why) = match self.slept_at_end_of(dying, waiting) {
            Some(asleep) if self.ends_with(dying, waiting, asleep) => return Ok(()),
            Some(asleep) if asleep.blocking == Blocking::Timed => (
                format!("it slept in {}, for a time", asleep.call),
                "How long another process takes nobody knows: a time that suffices today is too short on a busy machine.",
            ),
            Some(asleep) if asleep.on.contains(&format!("pidfd {}", self.pid(waiting))) => (
                format!(
                    "it slept in {} on a pidfd of its own, which is not ready before it has ended itself",
                    asleep.call
                ),
                "A pidfd stands for the process whose id it was opened with: after a fork, getpid answers with another one.",
            ),
            Some(asleep) => (
                format!(
                    "it slept in {}{}, which comes before that",
                    asleep.call,
                    until(asleep)
                ),
                if self.is_parent(waiting, dying) {
                    "A dying process closes its descriptors before it is a zombie: at the end of a pipe it may still be running."
                } else {
                    "A dying process closes its descriptors before its children get another parent: at the end of a pipe getppid may still give the old one."
                },
            ),
            None => (
                format!("when {} was about to end, it did not sleep", self.name(dying)),
                "Who wants to know of an end has to wait for it: asked too early, the kernel's answer is about a process that lives.",
            ),
        };
        let at = self.release_of(dying).map(|(at, _)| at);
        let expected = format!(
            "{} sleeps until the kernel says that {} has ended",
            self.name(waiting),
            self.name(dying)
        );
        Err(self.refusal(at, expected, happened, why))
    }

    fn is_parent(&self, parent: Proc, child: Proc) -> bool {
        self.processes
            .get(child)
            .is_some_and(|process| process.parent == Some(parent))
    }

    /// Whether the kernel ends that sleep of `waiting` once `dying` is gone, and not before.
    fn ends_with(&self, dying: Proc, waiting: Proc, asleep: &Sleeper) -> bool {
        let on = |what: &str| asleep.on.iter().any(|on| on == what);
        let told = match asleep.family {
            Family::Wait => self.is_parent(waiting, dying),
            // On its way out a process sends nothing any more: what comes then is the kernel's.
            Family::SignalWait => true,
            _ => on(&format!("pidfd {}", self.pid(dying))) || on("anon_inode:[signalfd]"),
        };
        asleep.blocking != Blocking::Timed && (told || self.was_signalled(dying, waiting))
    }

    /// The first thing that happened to `waiting` when `dying` had been let go was that a handler ran for the signal that
    /// tells of its end: it ended the sleep, by writing to a pipe, say.
    fn was_signalled(&self, dying: Proc, waiting: Proc) -> bool {
        let signal = if self.is_parent(waiting, dying) {
            Some(libc::SIGCHLD)
        } else {
            self.death_signal(waiting)
        };
        let Some((released, _)) = self.release_of(dying) else {
            return false;
        };
        let mut after = self
            .events_of(waiting)
            .filter(|&(at, what)| at > released && !matches!(what, What::Adopted { .. }));
        matches!(after.next(), Some((_, What::Signal(got))) if got.caught && Some(got.number) == signal)
    }

    /// The signal that a process has asked for, to come when its parent ends.
    fn death_signal(&self, who: Proc) -> Option<i32> {
        let asks = |call: &Call| {
            call.name == "prctl" && call.args[0] == libc::PR_SET_PDEATHSIG as u64 && call.result == Some(0)
        };
        let (_, call) = self.calls(who).find(|(_, call)| asks(call))?;
        i32::try_from(call.args[1]).ok()
    }
}

/// What ends such a sleep, without the numbers that are others in each run.
fn until(asleep: &Sleeper) -> &'static str {
    match (asleep.family, asleep.on.first()) {
        (Family::Lock, _) => " until a lock is free",
        (_, Some(on)) if on.starts_with("pipe:") => " until the end of a pipe",
        (_, Some(on)) if on.starts_with("socket:") => " until the end of a connection",
        _ => "",
    }
}
