//! What a check answers: passed, or refused with words that a learner can act on.

use crate::{
    story::{End, MAIN, Proc, Sleeper, Story, What},
    tell::{called, plain},
};

/// The outcome of a check, or of a part of it.
pub type Verdict<T = ()> = Result<T, Refusal>;

/// Why a check did not pass.
#[derive(Debug)]
pub enum Refusal {
    /// The answer is wrong.
    Failed(Box<Failure>),
    /// A `todo!("step N: …")` was reached.
    Undone {
        /// The step that is not done.
        step: usize,
        /// File and line of the gap, as the panic gave them.
        place: String,
        /// The command that reached it.
        ran: String,
    },
    /// This machine did not let the kit look: why. Never counted as failed.
    NotChecked(String),
    /// The kit itself could not work; what to do about it.
    Broken(String),
}

/// Both must hold. What failed counts before what could not be checked, and the first before the second: put first what
/// does not depend on who of two careless processes was faster.
///
/// # Errors
/// The refusal that counts.
pub fn both(first: Verdict, second: Verdict) -> Verdict {
    match (first, second) {
        (Err(Refusal::NotChecked(_)), Err(second)) => Err(second),
        (first, second) => first.and(second),
    }
}

/// A wrong answer, in words.
#[derive(Debug)]
pub struct Failure {
    /// What should have happened, one sentence.
    pub expected: String,
    /// What happened, one sentence.
    pub happened: String,
    /// Why it matters, one sentence.
    pub why: String,
    /// The offending event, by its index.
    pub at: Option<usize>,
    /// The run.
    pub story: Story,
}

impl Story {
    /// A refusal of this run. `at` marks the offending event. Nothing is held against a run that only a clock ended.
    pub fn refusal(
        &self,
        at: Option<usize>,
        expected: impl Into<String>,
        happened: impl Into<String>,
        why: impl Into<String>,
    ) -> Refusal {
        if let Some(not_checked) = self.cut_by_a_clock() {
            return not_checked;
        }
        Refusal::Failed(Box::new(Failure {
            expected: expected.into(),
            happened: happened.into(),
            why: why.into(),
            at,
            story: self.clone(),
        }))
    }

    /// A program that got no processor is not to blame. And looked at from outside, who is slow cannot be told from who stays
    /// for good: the run was ended when a time was up, and on a machine with more time it might have come out otherwise.
    fn cut_by_a_clock(&self) -> Option<Refusal> {
        if let End::TimeLimit { seconds, slow: true } = self.end {
            return Some(Refusal::NotChecked(format!(
                "after {seconds} seconds it had not ended, but it had waited for a processor longer than it ran: the machine is busy"
            )));
        }
        let reason = self.unobserved.as_ref()?;
        let what = match self.end {
            End::LeftBehind(_) => "main had ended, and somebody was still there",
            End::TimeLimit { .. } => "it had not ended",
            _ => return None,
        };
        Some(Refusal::NotChecked(format!(
            "{reason}; when the time was up {what}, and only the witness could say why"
        )))
    }

    /// Refuses the run unless `fact` holds.
    ///
    /// # Errors
    /// The refusal.
    pub fn demand(
        &self,
        fact: bool,
        at: Option<usize>,
        expected: impl Into<String>,
        happened: impl Into<String>,
        why: impl Into<String>,
    ) -> Verdict {
        if fact {
            Ok(())
        } else {
            Err(self.refusal(at, expected, happened, why))
        }
    }

    /// Everything after this needs the events.
    ///
    /// # Errors
    /// [`Refusal::NotChecked`] where the witness could not see any.
    pub fn observed(&self) -> Verdict {
        match &self.unobserved {
            None => Ok(()),
            Some(reason) => Err(Refusal::NotChecked(reason.clone())),
        }
    }

    /// The run as a whole ended by itself: nobody hung, span, was left behind, or went over a limit.
    ///
    /// # Errors
    /// A refusal that says which of them.
    pub fn expect_over(&self) -> Verdict {
        let (expected, happened, why) = match &self.end {
            End::Over => return Ok(()),
            End::NotStarted(reason) => {
                let program = self.command.first().map_or("", String::as_str);
                return Err(Refusal::Broken(format!(
                    "{program} could not be started: {reason}. Build it, make it executable (a script needs a #! line too), or name another program"
                )));
            }
            End::LeftBehind(names) => (
                "every process ends by itself",
                format!("main had ended, and {} was still there", names.join(", ")),
                "A process that nobody waits for and that never ends holds its memory and its process id for good.",
            ),
            End::Hung(sleepers) => (
                "the program comes to its end",
                format!(
                    "everybody slept, and nothing could wake anybody: {}",
                    self.sleepers(sleepers)
                ),
                if self.stopped().is_empty() {
                    "What a process waits for must come from somebody: find who should have ended, written or closed."
                } else {
                    "A stopped process does nothing until somebody sends it SIGCONT: it does not end, and who waits for its end waits on."
                },
            ),
            End::Busy(who) => (
                "a process that waits is asleep in the kernel",
                format!(
                    "{} asked again and again, or went round in a loop, and never slept",
                    self.name(*who)
                ),
                "A busy wait takes a whole processor from everybody else; the kernel can wake you when it is time.",
            ),
            End::Spins(sleeper) => (
                "whoever is woken does something about it, or asks not to be woken for it",
                format!(
                    "{} came back 1,000 times in a row, and nothing was read, written, accepted or closed",
                    called(&sleeper.call)
                ),
                "What is ready and left as it is makes the next call return at once: a whole processor goes into that.",
            ),
            End::TooMany(alive) => (
                "no more processes than the step asks for",
                format!("{alive} were alive at once, and the run was ended there"),
                "A child that runs on into its parent's loop forks too: 2, 4, 8, 16 … until the machine is full.",
            ),
            End::TooMuch(bytes) => (
                "no more output than the step asks for",
                format!("more than {bytes} bytes came; they are cut there, and the run was ended"),
                "Something prints in a loop that does not end.",
            ),
            End::TimeLimit { seconds, .. } => (
                "the program comes to its end",
                format!("after {seconds} seconds it had not"),
                "Something is waited for again and again that never comes.",
            ),
            End::Stopped => {
                return Err(Refusal::Broken(
                    "the run was ended from outside, before it was over; run it again".to_owned(),
                ));
            }
        };
        Err(self.refusal(self.end_mark(), expected, happened, why))
    }

    /// The moment at which a run went wrong that had to be ended.
    fn end_mark(&self) -> Option<usize> {
        let is_kill = |(_, what): &(usize, &What)| matches!(what, What::Killed(_));
        let of = |who| self.events_of(who).find(is_kill).map(|(at, _)| at);
        match &self.end {
            End::Busy(who) => of(*who),
            End::Spins(sleeper) => of(sleeper.who),
            End::Hung(sleepers) => {
                let first = sleepers.first().map(|sleeper| sleeper.who);
                first.or_else(|| self.stopped().first().copied()).and_then(of)
            }
            End::LeftBehind(names) => names.first().and_then(|name| of(self.find(name)?)),
            // The first that was not main's own child: there a child ran on into its parent's code.
            End::TooMany(_) => {
                let mut others = self
                    .processes
                    .iter()
                    .filter(|process| process.parent.is_some_and(|parent| parent != MAIN));
                others.next().map(|process| process.born)
            }
            _ => None,
        }
    }

    /// Who was stopped, and not continued, when the run came to its end.
    fn stopped(&self) -> Vec<Proc> {
        let all = 0..self.processes.len();
        all.filter(|&who| self.stopped_by(who).is_some()).collect()
    }

    /// Who sleeps, and in what, and who does not even do that.
    fn sleepers(&self, sleepers: &[Sleeper]) -> String {
        let each = sleepers.iter().map(|s| {
            let on: Vec<String> = s.on.iter().map(|on| plain(&self.named(on))).collect();
            let on = if on.is_empty() {
                String::new()
            } else {
                format!(" on {}", on.join(", "))
            };
            format!("{} in {}{on}", self.name(s.who), called(&s.call))
        });
        let stopped = self.stopped().into_iter().filter_map(|who| {
            let signal = crate::signal_name(self.stopped_by(who)?);
            Some(format!("{} is stopped by {signal}", self.name(who)))
        });
        each.chain(stopped).collect::<Vec<_>>().join(", ")
    }
}
