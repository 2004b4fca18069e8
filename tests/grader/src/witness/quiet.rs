//! When everybody sleeps: the one moment at which the witness lets go what it holds, tells the test to go on, and sees
//! that a program hangs.
//!
//! Asleep is a fact, not a guess: two looks at every thread find it in state `S`, off every run queue, with the same
//! count of times that it gave up the processor, and no report in between. So at the moment between the looks nobody
//! ran and nobody was about to. The state alone would not do: a thread that is just going to sleep is in `S` while it
//! still looks for a reason not to, and may be preempted there (seen once in some 400 runs, as a false "everybody
//! slept"). How often the witness looks changes nothing in what it finds.

use super::{
    channel::Channel,
    entry::Entry,
    proc,
    tracer::{Phase, Stop, Tracer, kill},
};
use crate::{
    calls::{Blocking, Family},
    story::{End, Proc, Release, Sleeper},
};
use nix::libc;
use std::time::{Duration, Instant};

/// Processor time without a sleep after which a process is busy: 50 ticks of 10 ms. No step needs a tenth of it.
const BUSY: u64 = 50;
/// How long orphans may sleep on a timer, after the last thing that happened, before the run is over.
const GRACE: Duration = Duration::from_millis(300);

/// How long until the next look.
pub struct Pace {
    pause: Duration,
    last_event: Instant,
    main_ended: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: FIRST,
            last_event: Instant::now(),
            main_ended: false,
        }
    }
}

const FIRST: Duration = Duration::from_micros(100);
const LAST: Duration = Duration::from_millis(5);

impl Pace {
    /// Something happened: look again soon.
    pub fn hurry(&mut self) {
        (self.pause, self.last_event) = (FIRST, Instant::now());
    }

    /// Main has ended: from now on what is left may be left behind.
    pub fn main_ended(&mut self) {
        self.main_ended = true;
    }

    fn slower(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LAST);
        pause
    }
}

impl Tracer {
    /// Looks whether everybody sleeps, does what waits for that, and says how long to listen before the next look.
    pub(super) fn think(&mut self, channel: &mut Channel) -> Duration {
        self.release_signal(&[]);
        if self.pace.pause > FIRST || self.pace.last_event.elapsed() >= FIRST {
            match self.sleepers(channel) {
                Some(sleepers) => self.all_quiet(&sleepers, channel),
                None => self.find_busy(),
            }
        }
        self.pace.slower()
    }

    /// Everybody who lives and is not held sleeps: who, and in what. `None` as long as somebody runs.
    fn sleepers(&mut self, channel: &mut Channel) -> Option<Vec<Sleeper>> {
        let before = self.switches()?;
        if channel.drain() || channel.feeding() || self.report_waits() || self.switches()? != before {
            return None;
        }
        let free = before
            .iter()
            .filter(|(tid, _)| self.threads[tid].stop == Stop::None);
        let free: Vec<i32> = free.map(|&(tid, _)| tid).collect();
        let sleepers = free.into_iter().map(|tid| self.sleeper(tid)).collect();
        if self.report_waits() { None } else { Some(sleepers) }
    }

    /// How often each thread gave up the processor; `None` when one of them does not sleep, or is stopped no more:
    /// `SIGCONT` or `SIGKILL` has come, and its report will.
    fn switches(&self) -> Option<Vec<(i32, u64)>> {
        let mut all = Vec::new();
        for (&tid, thread) in &self.threads {
            // In this order: who is off the queue in both looks and has not given up the processor between the counts
            // has slept all the while.
            let off_queue = proc::is_off_queue(tid);
            let status = proc::Status::read(tid)?;
            // The maker of a vfork child waits in D, until the child has called exec or ended.
            let in_vfork = thread
                .entry
                .as_ref()
                .is_some_and(|entry| entry.family == Family::Fork && entry.blocking == Blocking::Until);
            match status.state {
                't' | 'T' if thread.stop != Stop::None => all.push((tid, status.switches)),
                'S' if off_queue => all.push((tid, status.switches)),
                'D' if in_vfork && off_queue => all.push((tid, status.switches)),
                'Z' if status.tgid == tid => {} // a leader whose other threads live on
                _ => return None,
            }
        }
        Some(all)
    }

    fn sleeper(&mut self, tid: i32) -> Sleeper {
        let thread = &self.threads[&tid];
        let who = thread.who;
        let entry = thread.entry.clone().or_else(|| thread.interrupted.clone());
        let entry = entry.or_else(|| {
            let (nr, args) = proc::current_call(tid)?;
            Some(Entry::decode(tid, nr, args, self.story.events.len()))
        });
        self.lives[who].baseline = None;
        let timer = self.lives[who].has_timer;
        let Some(entry) = entry else {
            return Sleeper {
                who,
                call: "a page of memory".to_owned(),
                family: Family::Other,
                on: Vec::new(),
                blocking: Blocking::Timed,
            };
        };
        // A call that was thought to return at once and sleeps all the same will return by itself.
        let blocking = if timer || entry.blocking == Blocking::Never {
            Blocking::Timed
        } else {
            entry.blocking
        };
        let mut on = entry.on;
        on.iter_mut().for_each(|name| self.name_stream(name));
        Sleeper {
            who,
            call: entry.name,
            family: entry.family,
            on,
            blocking,
        }
    }

    fn all_quiet(&mut self, sleepers: &[Sleeper], channel: &Channel) {
        let timed = sleepers.iter().any(|sleeper| sleeper.blocking == Blocking::Timed);
        // Nobody goes out of turn as long as somebody else can take a step.
        let between = self.held_between();
        if self.release_next_exit(sleepers, timed || between.is_some()) {
            return;
        }
        if let Some(tid) = between {
            self.resume(tid, 0);
            return self.pace.hurry();
        }
        if self.release_signal(sleepers) {
            return;
        }
        if self.asked.is_some() {
            return self.answer_quiet(sleepers, channel);
        }
        self.adopt_unborn(None);
        if self.lives.iter().all(|life| life.phase != Phase::Alive) {
            // And yet there is somebody: made with CLONE_UNTRACED, and known to nobody but the subreaper.
            if self.pace.last_event.elapsed() > GRACE {
                self.finish(End::LeftBehind(vec![
                    "a process that the witness cannot see".to_owned(),
                ]));
            }
            return;
        }
        if self.plan.interactive {
            return;
        }
        if self.pace.main_ended {
            if !timed || self.pace.last_event.elapsed() > GRACE {
                let alive = (0..self.lives.len()).filter(|&who| self.lives[who].phase == Phase::Alive);
                let names = alive.map(|who| self.story.processes[who].name.clone()).collect();
                self.finish(End::LeftBehind(names));
            }
        } else if !timed {
            self.finish(End::Hung(sleepers.to_vec()));
        }
    }

    /// Who is held between two calls; the first by birth.
    fn held_between(&self) -> Option<i32> {
        let held = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.stop == Stop::HeldBetween);
        let held = held.map(|(&tid, thread)| (thread.who, tid));
        held.min().map(|(_, tid)| tid)
    }

    /// Lets the next process go that is held at its exit. When it is not that one's turn and nothing else can happen,
    /// the first by birth goes out of turn.
    fn release_next_exit(&mut self, sleepers: &[Sleeper], timed: bool) -> bool {
        let held = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.stop == Stop::HeldAtExit);
        let mut held: Vec<(Proc, i32)> = held.map(|(&tid, thread)| (thread.who, tid)).collect();
        held.sort_unstable();
        let order = self.plan.hold_exits.as_deref().unwrap_or_default();
        let is_over = |name: &String| {
            self.find(name)
                .is_some_and(|who| self.lives[who].phase != Phase::Alive)
        };
        let turn = order.iter().find(|name| !is_over(name)).cloned();
        let chosen = match &turn {
            None => held.first().map(|&(_, tid)| (tid, true)),
            Some(name) => {
                let who = self.find(name);
                let in_turn = held
                    .iter()
                    .find(|&&(held, _)| Some(held) == who)
                    .map(|&(_, tid)| (tid, true));
                in_turn.or_else(|| {
                    if timed {
                        None
                    } else {
                        held.first().map(|&(_, tid)| (tid, false))
                    }
                })
            }
        };
        let Some((tid, in_turn)) = chosen else {
            return false;
        };
        self.release(
            tid,
            Release {
                at: "exit".to_owned(),
                in_turn,
                asleep: sleepers.to_vec(),
            },
        );
        true
    }

    /// Lets go who is held at a signal, once all its children have ended. With sleepers: whether they have or not, since
    /// nothing else can happen any more.
    fn release_signal(&mut self, sleepers: &[Sleeper]) -> bool {
        let held = self.threads.iter().find_map(|(&tid, thread)| match thread.stop {
            Stop::HeldAtSignal(signal) => Some((tid, thread.who, signal)),
            _ => None,
        });
        let Some((tid, who, signal)) = held else {
            return false;
        };
        let mut children = self
            .story
            .processes
            .iter()
            .zip(&self.lives)
            .filter(|(process, _)| process.parent == Some(who));
        let alive = children.any(|(_, life)| life.phase == Phase::Alive);
        let nothing_moves = !sleepers.is_empty() && sleepers.iter().all(|s| s.blocking == Blocking::Until);
        if alive && !nothing_moves {
            return false;
        }
        let at = crate::signal_name(signal);
        self.release(
            tid,
            Release {
                at,
                in_turn: !alive,
                asleep: sleepers.to_vec(),
            },
        );
        true
    }

    fn find_busy(&mut self) {
        let running: Vec<Proc> = self
            .threads
            .values()
            .filter(|thread| thread.stop == Stop::None)
            .map(|thread| thread.who)
            .collect();
        for who in running {
            let life = &mut self.lives[who];
            let Some(ticks) = proc::ticks(life.pid) else {
                continue;
            };
            match life.baseline {
                None => life.baseline = Some(ticks),
                Some(baseline) if ticks - baseline >= BUSY => return self.finish(End::Busy(who)),
                Some(_) => {}
            }
        }
    }

    /// Kills everything that is known; what is born meanwhile starts stopped and is killed in the next round.
    pub(super) fn kill_all(&mut self) -> Duration {
        let tids: Vec<i32> = self.threads.keys().copied().collect();
        for tid in tids {
            kill(tid, libc::SIGKILL);
            let held = self
                .threads
                .get(&tid)
                .is_some_and(|thread| thread.stop != Stop::None);
            if held {
                self.resume(tid, 0);
            }
        }
        self.kill_unborn();
        // What slipped out of the tracer's sight (`CLONE_UNTRACED`) is still a descendant of the subreaper.
        let me = nix::unistd::getpid().as_raw();
        proc::descendants(me)
            .into_iter()
            .for_each(|pid| kill(pid, libc::SIGKILL));
        Duration::from_millis(20)
    }
}
