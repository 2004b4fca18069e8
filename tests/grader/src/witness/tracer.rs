//! Follows every process of the run from stop to stop, and writes down what happens.

use super::{arch, blank, channel::Channel, entry::Entry, memory, proc, quiet::Pace, start};
use crate::{
    calls::{Blocking, Family},
    plan::{Order, Plan},
    story::{
        Call, End, Ending, Event, MAIN, Proc, Process, Release, Signal, Sleeper, Story, Traffic, Wait, What,
    },
    witness::Answer,
};
use nix::{errno::Errno, libc, sys::ptrace, unistd::Pid};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::Path,
    time::Instant,
};

/// More events than any lab makes; a program that gets here goes round in circles.
const EVENTS: usize = 6_000;
/// More bytes than all that any lab prints, and the names of all that it touches.
const WORDS: usize = 512 << 10;
/// That many calls in a row that came back at once with nothing: a program that asks and asks.
const FRUITLESS: usize = 3_000;
/// That many times in a row woken, and nothing read, written, accepted or closed.
const IDLE_WAKES: usize = 1_000;
/// Calls of a long run that are told; the rest is counted.
const TOLD: usize = 2_000;

/// A thread under observation.
pub struct Tracee {
    /// Its process.
    pub who: Proc,
    /// The call it is in.
    pub entry: Option<Entry>,
    /// A call that was interrupted; whether the kernel takes it up again, the next call tells.
    pub interrupted: Option<Entry>,
    /// For each handler that runs, the call that is taken up again when it returns.
    suspended: Vec<Option<Entry>>,
    /// Whether it runs.
    pub stop: Stop,
    /// It is on its way out.
    exiting: bool,
    /// It has not taken its first step.
    fresh: bool,
}

/// Whether a thread runs, as far as the witness has a hand in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It runs, or sleeps in the kernel.
    None,
    /// Stopped by job control.
    Group,
    /// The witness holds it at its exit.
    HeldAtExit,
    /// The witness holds it at the delivery of this signal.
    HeldAtSignal(i32),
    /// The witness holds it before its first step, or between two calls.
    HeldBetween,
    /// The witness holds it behind a call until the test says go.
    Paused,
}

/// Where a process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It lives.
    Alive,
    /// It ended, and its parent has not reaped it.
    Zombie,
    /// There is no such process any more.
    Gone,
}

/// What the witness keeps of a process besides what it tells of it.
pub struct Life {
    /// Its id.
    pub pid: i32,
    /// The process id of its present parent.
    pub parent: i32,
    /// Alive, zombie, gone.
    pub phase: Phase,
    /// Its ended children need no reaping.
    pub ignores_children: bool,
    /// It has set a timer: a sleep without an end may be ended by it.
    pub has_timer: bool,
    /// It has seen to it that it leaves no core file (`PR_SET_DUMPABLE`).
    pub undumpable: bool,
    /// Processor time, in ticks, when it was last known to sleep.
    pub baseline: Option<u64>,
    /// Calls in a row that came back at once with nothing.
    pub fruitless: usize,
    /// Wake-ups in a row after which nothing was done.
    idle_wakes: usize,
    /// Job control has stopped it, and all its threads with it.
    stopped: bool,
    /// The signals after whose handler an interrupted call is taken up again (`SA_RESTART`).
    restarts: u64,
    children: usize,
}

/// The witness at work.
pub struct Tracer {
    pub(super) plan: Plan,
    pub(super) story: Story,
    pub(super) lives: Vec<Life>,
    pub(super) threads: BTreeMap<i32, Tracee>,
    pub(super) started_at: Instant,
    pub(super) pace: Pace,
    /// A test waits for an answer to this order.
    pub(super) asked: Option<Order>,
    /// Set once the run is over for the witness: everything that still lives is killed.
    pub(super) end: Option<End>,
    /// A signal has been held; only its first delivery is.
    pub(super) held_signal: bool,
    /// Calls that count for [`Plan::hold_call`], so far.
    calls_counted: usize,
    /// Calls of main that count for [`Plan::pause_after`], so far.
    calls_of_main: usize,
    /// Who ended last.
    last_dead: Proc,
    /// Bytes of text in the story.
    words: usize,
    /// New threads whose first stop came before the report of their birth.
    unborn: BTreeSet<i32>,
    faults_seen: Vec<usize>,
    /// How `/proc/PID/fd` calls the program's standard output and standard error.
    streams: Vec<String>,
    /// What sockets are called that listen or were accepted.
    sockets: BTreeMap<String, String>,
    accepted: usize,
    failure: OwnedFd,
    executed: bool,
}

impl Tracer {
    /// For a program that has been seized and not yet let go; `failure` tells why it could not be executed.
    pub fn new(plan: Plan, program: Pid, failure: OwnedFd, channel: &Channel) -> Self {
        let story = blank(&plan, End::Over);
        let mut tracer = Self {
            faults_seen: vec![0; plan.faults.len()],
            story,
            plan,
            lives: Vec::new(),
            threads: BTreeMap::new(),
            started_at: Instant::now(),
            pace: Pace::default(),
            asked: None,
            end: None,
            held_signal: false,
            calls_counted: 0,
            calls_of_main: 0,
            last_dead: MAIN,
            unborn: BTreeSet::new(),
            words: 0,
            streams: channel.streams.iter().map(|stream| stream.link.clone()).collect(),
            sockets: BTreeMap::new(),
            accepted: 0,
            failure,
            executed: false,
        };
        tracer.add_process(program.as_raw(), None, tracer.story.witness);
        tracer
    }

    /// Follows the run to its end, and tells it.
    pub fn run(mut self, channel: &mut Channel) -> io::Result<Story> {
        while self.take_reports() {
            self.limit(channel);
            let pause = if self.end.is_some() {
                self.kill_all()
            } else {
                self.think(channel)
            };
            let woken = channel.wait(pause)?;
            if woken.abandoned {
                self.finish(End::Stopped);
            }
            for order in woken.orders {
                match self.executed {
                    true => self.obey(order, channel),
                    false => channel.postpone(order), // it may have to be started once more, without a filter
                }
            }
        }
        channel.drain();
        self.limit(channel); // it may have ended by itself, with too much in the pipe
        if !self.executed
            && let Some(reason) = start::said(&self.failure)?
        {
            self.end = Some(End::NotStarted(reason));
            self.story.status = None; // it was the witness's own child that ended
        }
        Ok(self.tell(channel))
    }

    fn tell(mut self, channel: &mut Channel) -> Story {
        self.fill(channel);
        self.story.end = self.end.unwrap_or(End::Over);
        self.story
    }

    /// Brings the story's outputs up to date.
    pub(super) fn fill(&mut self, channel: &Channel) {
        if let [stdout, stderr] = &channel.streams[..] {
            self.story.stdout.clone_from(&stdout.bytes);
            self.story.stderr.clone_from(&stderr.bytes);
        }
    }

    fn obey(&mut self, order: Order, channel: &mut Channel) {
        match order {
            Order::Quiet | Order::Settle | Order::Traffic => self.asked = Some(order),
            Order::Finish => {
                self.plan.interactive = false;
                self.go();
            }
            Order::Go => self.go(),
            Order::Command(_) => {} // for a witness that watches nobody
            Order::Input(bytes) => channel.send(&bytes),
            Order::Close => channel.close_input(),
            Order::Signal(name, signal) => {
                if let Some(who) = self
                    .find(&name)
                    .filter(|&who| self.lives[who].phase == Phase::Alive)
                {
                    kill(self.lives[who].pid, signal);
                }
            }
        }
        self.pace.hurry();
    }

    /// Lets go whom the test has stopped.
    fn go(&mut self) {
        self.story.paused = None;
        let paused = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.stop == Stop::Paused);
        let paused: Vec<i32> = paused.map(|(&tid, _)| tid).collect();
        paused.into_iter().for_each(|tid| self.resume(tid, 0));
    }

    /// Main has come to the call behind which the test wants it stopped.
    fn pauses(&mut self, who: Proc, name: &str) -> bool {
        let Some(nth) = self
            .plan
            .pause_after
            .filter(|_| who == MAIN && self.end.is_none())
        else {
            return false;
        };
        if self.calls_of_main > 0 || matches!(name, "socket" | "socketpair") {
            self.calls_of_main += 1;
        }
        let pauses = self.calls_of_main == nth;
        if pauses {
            self.calls_of_main += 1; // once
            self.story.paused = Some(name.to_owned());
        }
        pauses
    }

    pub(super) fn find(&self, name: &str) -> Option<Proc> {
        self.story
            .processes
            .iter()
            .position(|process| process.name == name)
    }

    pub(super) fn note(&mut self, who: Proc, what: What) {
        // What happens before the program is executed is the witness's own; what happens after the end, its doing.
        if !self.executed || self.end.is_some() {
            return;
        }
        if self.plan.long && self.story.events.len() >= TOLD && matches!(what, What::Calls(_)) {
            self.story.untold += 1;
            return;
        }
        let event = Event { who, what };
        if let (
            What::Calls(new),
            Some(Event {
                who: last_who,
                what: What::Calls(last),
            }),
        ) = (&event.what, self.story.events.last_mut())
            && *last_who == who
            && same_again(last, new)
        {
            last.times += 1;
            return;
        }
        if let What::Calls(call) = &event.what {
            self.words += call.text.len() + call.on.iter().map(String::len).sum::<usize>();
        }
        self.story.events.push(event);
        if self.story.events.len() >= 2 * EVENTS {
            self.finish(End::Busy(who)); // signals and stops without end: a timer, a fault that is caught and repeated
        }
    }

    /// The run is over; what still lives is killed, and named.
    pub(super) fn finish(&mut self, end: End) {
        if self.end.is_some() {
            return;
        }
        let why = match &end {
            End::LeftBehind(_) => "it was still there when the run was over",
            End::Hung(_) => "everybody slept, and nothing could wake anybody",
            End::Busy(_) => "it used the processor and never slept",
            End::Spins(_) => "it was woken again and again, and did nothing about it",
            End::TooMany(_) => "there were too many processes",
            End::TooMuch(_) => "there was too much output",
            End::TimeLimit { .. } => "the time was up",
            End::Over | End::NotStarted(_) | End::Stopped => "the check ended the run",
        };
        let alive: Vec<Proc> = (0..self.lives.len())
            .filter(|&p| self.lives[p].phase == Phase::Alive)
            .collect();
        for who in alive {
            self.note_present_call(who);
            self.note(who, What::Killed(why.to_owned()));
        }
        self.end = Some(end);
    }

    /// Takes every report that is there; `false` when nobody is left to report.
    ///
    /// The kernel hands reports out by process, and not in the order in which they came. Who was woken by an end (through
    /// a pidfd, or by the signal at its parent's end) may have stopped before that end has been taken; so with a stop in
    /// sight all ends are taken first.
    fn take_reports(&mut self) -> bool {
        // Not more at a time: a program that makes nothing but calls must not keep the witness from its other duties.
        for _ in 0..256 {
            let tid = match waiting(libc::P_ALL, 0) {
                None => return false,
                Some(0) => return true,
                Some(tid) => tid,
            };
            let leaving = self
                .threads
                .iter()
                .filter(|(_, thread)| thread.exiting && thread.stop == Stop::None);
            let mut ended = leaving
                .map(|(&tid, _)| tid)
                .filter(|&tid| waiting(libc::P_PID, tid) == Some(tid));
            let tid = ended.next().unwrap_or(tid);
            self.take_report_of(tid);
            self.pace.hurry();
        }
        true
    }

    /// There is a report that has not been taken.
    pub(super) fn report_waits(&mut self) -> bool {
        waiting(libc::P_ALL, 0) != Some(0)
    }

    fn report(&mut self, tid: i32, status: i32) {
        if libc::WIFEXITED(status) {
            self.ended(tid, Ending::Exited(libc::WEXITSTATUS(status)));
        } else if libc::WIFSIGNALED(status) {
            self.ended(tid, Ending::Killed(libc::WTERMSIG(status)));
        } else if libc::WIFSTOPPED(status) {
            self.stopped(tid, libc::WSTOPSIG(status), status >> 16);
        }
    }

    fn stopped(&mut self, tid: i32, signal: i32, event: i32) {
        if !self.threads.contains_key(&tid) {
            // Its parent's report of the birth comes first, or the parent is dead and never reports.
            self.unborn.insert(tid);
            return;
        }
        match event {
            libc::PTRACE_EVENT_SECCOMP => self.call_entered(tid),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => self.forked(tid),
            libc::PTRACE_EVENT_EXEC => self.execed(tid),
            libc::PTRACE_EVENT_EXIT => self.exiting(tid),
            libc::PTRACE_EVENT_STOP => self.group_stop(tid, signal),
            _ if signal == libc::SIGTRAP | 0x80 => self.call_returned(tid),
            _ => self.signalled(tid, signal),
        }
    }

    /// Lets a stopped thread go on, to the end of its call if it is in one.
    pub(super) fn resume(&mut self, tid: i32, signal: i32) {
        let Some(thread) = self.threads.get_mut(&tid) else {
            return;
        };
        thread.stop = Stop::None;
        if self.end.is_some() {
            kill(tid, libc::SIGKILL); // at once: a fork bomb reports faster than the witness makes its rounds
        }
        let request = if thread.entry.is_some() {
            libc::PTRACE_SYSCALL
        } else {
            libc::PTRACE_CONT
        };
        // SAFETY: no pointer is passed. ESRCH (killed meanwhile) needs no answer: its end will be reported.
        unsafe { libc::ptrace(request, tid, 0usize, signal as usize) };
    }

    // Births

    fn add_process(&mut self, pid: i32, parent: Option<Proc>, parent_pid: i32) -> Proc {
        let who = self.lives.len();
        let (name, ignores_children) = match parent {
            None => ("main".to_owned(), false),
            Some(parent) => {
                self.lives[parent].children += 1;
                let (number, line) = (self.lives[parent].children, &self.story.processes[parent].name);
                let name = if parent == MAIN {
                    format!("c{number}")
                } else {
                    format!("{line}.{number}")
                };
                (name, self.lives[parent].ignores_children)
            }
        };
        self.story.processes.push(Process {
            name,
            pid,
            parent,
            born: self.story.events.len(),
        });
        self.lives.push(Life {
            pid,
            parent: parent_pid,
            phase: Phase::Alive,
            ignores_children,
            has_timer: parent.is_some_and(|parent| self.lives[parent].has_timer), // it may be a descriptor's
            undumpable: parent.is_some_and(|parent| self.lives[parent].undumpable),
            baseline: None,
            fruitless: 0,
            idle_wakes: 0,
            stopped: false,
            restarts: parent.map_or(0, |parent| self.lives[parent].restarts),
            children: 0,
        });
        self.add_thread(pid, who);
        who
    }

    fn add_thread(&mut self, tid: i32, who: Proc) {
        self.threads.insert(
            tid,
            Tracee {
                who,
                entry: None,
                interrupted: None,
                suspended: Vec::new(),
                stop: Stop::None,
                exiting: false,
                fresh: self.executed, // what has been executed was stopped at its birth
            },
        );
    }

    fn forked(&mut self, tid: i32) {
        let who = self.threads[&tid].who;
        let new = ptrace::getevent(Pid::from_raw(tid)).unwrap_or(0) as i32;
        let status = proc::Status::read(new);
        if status.as_ref().is_some_and(|status| status.tgid != new) {
            self.add_thread(new, who);
            self.note(who, What::Spawns);
        } else if new > 0 {
            let entry = self.threads[&tid].entry.as_ref();
            let call = entry.map_or_else(|| "fork".to_owned(), |entry| entry.name.clone());
            // With CLONE_PARENT it is its maker's sister.
            let parent = status.map_or(self.lives[who].pid, |status| status.ppid);
            let child = self.add_process(new, Some(who), parent);
            self.note(who, What::Forks { child, call });
        }
        if self.unborn.remove(&new) {
            self.begin(new);
        }
        self.resume(tid, 0);
        let alive = self
            .lives
            .iter()
            .filter(|life| life.phase == Phase::Alive)
            .count();
        if alive > self.plan.processes {
            self.finish(End::TooMany(alive));
            self.kill_all(); // before one of them forks once more
        }
    }

    /// Lets a new thread take its first step, or holds it before that.
    fn begin(&mut self, tid: i32) {
        let Some(thread) = self.threads.get_mut(&tid) else {
            return;
        };
        thread.fresh = false;
        let who = thread.who;
        if self.holds_between(who, None) {
            self.set_stop(tid, Stop::HeldBetween);
        } else {
            self.resume(tid, 0);
        }
    }

    /// Whether `who` is to be held before its first step, or now that a call of this family has come back.
    fn holds_between(&mut self, who: Proc, family: Option<Family>) -> bool {
        let name = &self.story.processes[who].name;
        let mut here = self.plan.first.as_ref().is_some_and(|first| first != name);
        if let Some(hold) = &self.plan.hold_call
            && hold.who == *name
            && Some(hold.family) == family
        {
            self.calls_counted += 1;
            here |= self.calls_counted == hold.nth;
        }
        let mut others = self.lives.iter().enumerate().filter(|&(other, _)| other != who);
        here && self.end.is_none() && others.any(|(_, life)| life.phase == Phase::Alive)
    }

    fn execed(&mut self, tid: i32) {
        let who = self.threads[&tid].who;
        // Only the thread that called exec lives on, under its process's id.
        let caller = ptrace::getevent(Pid::from_raw(tid)).unwrap_or(0) as i32;
        if let Some(caller) = self.threads.remove(&caller) {
            self.threads.insert(tid, caller);
        }
        self.threads
            .retain(|&other, thread| thread.who != who || other == tid);
        // Of the dispositions exec keeps what is ignored, and no flag.
        let life = &mut self.lives[who];
        life.restarts = 0;
        life.ignores_children &=
            proc::Status::read(tid).is_some_and(|status| status.is_told_to_ignore(libc::SIGCHLD));
        self.executed = true;
        let path = std::fs::read_link(format!("/proc/{tid}/exe")).unwrap_or_default();
        self.note(who, What::Execs(path.to_string_lossy().into_owned()));
        let inherited = proc::descriptors(tid)
            .into_iter()
            .filter(|&fd| fd > libc::STDERR_FILENO);
        let inherited: Vec<String> = inherited.filter_map(|fd| proc::descriptor(tid, fd)).collect();
        if !inherited.is_empty() {
            self.note(who, What::Inherits(inherited));
        }
        self.resume(tid, 0);
    }

    // Ends

    fn exiting(&mut self, tid: i32) {
        let who = self.threads[&tid].who;
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.exiting = true;
            if let Some(entry) = thread.entry.take().or_else(|| thread.interrupted.take()) {
                self.note_call(tid, entry, None);
            }
        }
        let is_last = self
            .threads
            .values()
            .all(|thread| thread.who != who || thread.exiting);
        if is_last {
            self.catch_up(who);
            self.note_core(tid, who);
            if who == MAIN {
                self.story.input_flags = proc::flags(tid, libc::STDIN_FILENO);
            }
        }
        if self.plan.hold_exits.is_some() && is_last && self.executed && self.end.is_none() {
            self.set_stop(tid, Stop::HeldAtExit);
        } else {
            self.resume(tid, 0);
        }
    }

    /// Notes that a process leaves a core file, where its signal means one and its limit allows it.
    fn note_core(&mut self, tid: i32, who: Proc) {
        use libc::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ};
        let status = ptrace::getevent(Pid::from_raw(tid)).unwrap_or(0) as i32;
        let dumps = [
            SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ,
        ];
        let killed = libc::WIFSIGNALED(status) && dumps.contains(&libc::WTERMSIG(status));
        if killed && !self.lives[who].undumpable && proc::core_limit(tid).is_some_and(|limit| limit != "0") {
            self.note(who, What::Dumps);
        }
    }

    /// Reports do not come in the order of what they tell. Before a process ends, those of its children who already
    /// have get their due, and so does its parent, if it has: or a zombie would pass for an orphan, or the reverse.
    fn catch_up(&mut self, who: Proc) {
        let Life { pid, parent, .. } = self.lives[who];
        let status = proc::Status::read(pid);
        let orphaned = status.is_some_and(|status| status.ppid != parent);
        for other in 0..self.lives.len() {
            let life = &self.lives[other];
            let is_child =
                life.parent == pid && proc::Status::read(life.pid).is_some_and(|status| status.state == 'Z');
            if life.phase == Phase::Alive && (is_child || orphaned && life.pid == parent) {
                self.take_report_of(life.pid);
            }
        }
    }

    /// The report of this thread, if there is one.
    fn take_report_of(&mut self, tid: i32) -> bool {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the wait status. nix's waitpid fails on the stops of real-time signals.
        let there_is = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) } == tid;
        if there_is {
            self.report(tid, status);
        }
        there_is
    }

    /// One report of each of these threads that run, where there is one.
    fn take_reports_of(&mut self, is_it: impl Fn(&Tracee) -> bool) {
        let running = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.stop == Stop::None && is_it(thread));
        let tids: Vec<i32> = running.map(|(&tid, _)| tid).collect();
        for tid in tids {
            self.take_report_of(tid);
        }
    }

    fn set_stop(&mut self, tid: i32, stop: Stop) {
        if let Some(thread) = self.threads.get_mut(&tid) {
            thread.stop = stop;
        }
    }

    /// The process of this id that is not gone; ids are used again.
    pub(super) fn process_of(&self, pid: i32) -> Option<Proc> {
        self.lives
            .iter()
            .rposition(|life| life.pid == pid && life.phase != Phase::Gone)
    }

    fn ended(&mut self, tid: i32, ending: Ending) {
        self.threads.remove(&tid);
        self.unborn.remove(&tid);
        let Some(who) = self.process_of(tid) else { return };
        if self.lives[who].phase == Phase::Zombie {
            self.lives[who].phase = Phase::Gone;
            self.note(who, What::LeftZombie);
            return;
        }
        self.note(who, What::Ends(ending));
        self.last_dead = who;
        self.adopt_unborn(Some(self.story.witness));
        if who == MAIN && self.end.is_none() {
            self.story.status = Some(ending);
            self.read_watched();
            self.pace.main_ended();
        }
        self.adoptions(tid);
        let parent = self.lives[who].parent;
        let parent = self
            .lives
            .iter()
            .position(|life| life.pid == parent && life.phase == Phase::Alive);
        self.lives[who].phase = match parent {
            None => Phase::Gone, // the witness is its parent and has just reaped it
            Some(parent) if self.lives[parent].ignores_children => {
                self.note(who, What::AutoReaped);
                Phase::Gone
            }
            Some(_) => Phase::Zombie,
        };
    }

    /// A process killed within its fork never reports the birth; its child waits for the witness all the same. Its
    /// parent is now this one; or any, when nobody moves any more who could report.
    pub(super) fn adopt_unborn(&mut self, parent: Option<i32>) {
        let dead = self.last_dead;
        let ppid = |tid: i32| proc::Status::read(tid).map(|status| status.ppid);
        let is_orphan = |tid: &i32| parent.is_none() || ppid(*tid) == parent;
        let orphans: Vec<i32> = self.unborn.iter().copied().filter(is_orphan).collect();
        for tid in orphans {
            self.unborn.remove(&tid);
            let child = self.add_process(tid, Some(dead), ppid(tid).unwrap_or(self.story.witness));
            self.note(
                dead,
                What::Forks {
                    child,
                    call: "fork".to_owned(),
                },
            );
            self.resume(tid, 0);
        }
    }

    /// In the end they go too, whoever their parents are.
    pub(super) fn kill_unborn(&mut self) {
        for tid in std::mem::take(&mut self.unborn) {
            kill(tid, libc::SIGKILL);
            // SAFETY: no pointer is passed.
            unsafe { libc::ptrace(libc::PTRACE_CONT, tid, 0usize, 0usize) };
        }
    }

    /// Reads the watched file, and signals whom it names, if that is wanted.
    fn read_watched(&mut self) {
        let file = self.plan.watch.as_ref();
        let file = file.map(|name| Path::new(&self.plan.directory).join(name));
        let bytes = file.and_then(|path| small_file(&path));
        let text = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default());
        let named = text.trim_end().parse().ok().and_then(|pid| self.process_of(pid));
        if let Some(who) = named.filter(|&who| self.lives[who].phase == Phase::Alive) {
            kill(self.lives[who].pid, self.plan.signal_watched);
        }
        self.story.watched = bytes;
    }

    /// Asks who has taken over the children of a process that has ended.
    fn adoptions(&mut self, dead: i32) {
        for child in 0..self.lives.len() {
            if self.lives[child].parent != dead || self.lives[child].phase == Phase::Gone {
                continue;
            }
            let Some(status) = proc::Status::read(self.lives[child].pid) else {
                continue;
            };
            if status.ppid != dead {
                self.lives[child].parent = status.ppid;
                let by = self
                    .lives
                    .iter()
                    .position(|life| life.pid == status.ppid && life.phase == Phase::Alive);
                if self.lives[child].phase == Phase::Alive {
                    self.note(child, What::Adopted { pid: status.ppid, by });
                }
            }
        }
    }

    // Signals and stops

    fn signalled(&mut self, tid: i32, signal: i32) {
        let who = self.threads[&tid].who;
        let status = proc::Status::read(tid);
        let sent = |info: &libc::siginfo_t| {
            let codes = [libc::SI_USER, libc::SI_TKILL, libc::SI_QUEUE];
            signal == libc::SIGCHLD || codes.contains(&info.si_code)
        };
        let info = ptrace::getsiginfo(Pid::from_raw(tid)).ok().filter(sent);
        // SAFETY: for a signal that somebody sent, and for SIGCHLD, the kernel has filled this part of the union
        // (`sigaction(2)`); for others it holds an address or a timer.
        let from = info.map_or(0, |info| unsafe { info.si_pid() });
        let event = Signal {
            number: signal,
            from: self.lives.iter().rposition(|life| life.pid == from),
            caught: status.as_ref().is_some_and(|status| status.catches(signal)),
            ignored: status.as_ref().is_some_and(|status| status.ignores(signal)),
        };
        let (caught, sender) = (event.caught, event.from);
        self.givers_first(tid, |giver| sender.is_some() && giver.is_kill());
        self.note(who, What::Signal(event));
        if caught {
            self.interrupt(tid, signal);
        }
        let wanted = self.plan.hold_signal.as_ref().is_some_and(|hold| {
            hold.signal == signal && hold.who == self.story.processes[who].name && !self.held_signal
        });
        if wanted && self.end.is_none() {
            self.held_signal = true;
            self.set_stop(tid, Stop::HeldAtSignal(signal));
        } else {
            self.resume(tid, signal);
        }
    }

    /// A handler is about to run: what the call that it interrupts comes to (`signal(7)`, `arch/x86/kernel/signal.c`).
    fn interrupt(&mut self, tid: i32, signal: i32) {
        const RESTARTSYS: i64 = -512;
        const RESTARTNOINTR: i64 = -513;
        let restarts = self.lives[self.threads[&tid].who].restarts >> (signal - 1) & 1 == 1;
        let Some(thread) = self.threads.get_mut(&tid) else {
            return;
        };
        let goes_on =
            |entry: &Entry| entry.unfinished == RESTARTNOINTR || entry.unfinished == RESTARTSYS && restarts;
        match thread.interrupted.take() {
            Some(entry) if !goes_on(&entry) => {
                thread.suspended.push(None);
                self.note_call(tid, entry, Some(-(Errno::EINTR as i64)));
            }
            interrupted => thread.suspended.push(interrupted),
        }
    }

    fn group_stop(&mut self, tid: i32, signal: i32) {
        let who = self.threads[&tid].who;
        if matches!(
            signal,
            libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU
        ) {
            if !std::mem::replace(&mut self.lives[who].stopped, true) {
                self.note(who, What::Stops(signal));
            }
            self.set_stop(tid, Stop::Group);
            // SAFETY: no pointer is passed. Without PTRACE_LISTEN the thread could not be continued by SIGCONT.
            unsafe { libc::ptrace(libc::PTRACE_LISTEN, tid, 0usize, 0usize) };
            return;
        }
        if self.threads[&tid].fresh {
            return self.begin(tid);
        }
        if self.lives[who].stopped {
            self.take_reports_of(|thread| thread.who == who); // a thread's stop may be told after another's going on
            self.note(who, What::Continues);
            self.lives[who].stopped = false;
        }
        self.resume(tid, 0);
    }

    // Calls

    fn call_entered(&mut self, tid: i32) {
        let Ok(info) = ptrace::syscall_info(Pid::from_raw(tid)) else {
            return self.resume(tid, 0);
        };
        // SAFETY: at a seccomp stop the kernel fills this part of the union.
        let seccomp = unsafe { info.u.seccomp };
        let (nr, args, who) = (seccomp.nr as i64, seccomp.args, self.threads[&tid].who);
        if matches!(nr, libc::SYS_exit | libc::SYS_exit_group) {
            self.change_exit_code(tid, who);
            return self.resume(tid, 0);
        }
        let interrupted = self
            .threads
            .get_mut(&tid)
            .and_then(|thread| thread.interrupted.take());
        let entry = match interrupted {
            Some(before) if before.is_restarted_by(nr) => before,
            other => {
                if let Some(before) = other {
                    self.note_call(tid, before, Some(-(Errno::EINTR as i64)));
                }
                let mut entry = Entry::decode(tid, nr, args, self.story.events.len());
                entry.injected = self.inject(tid, &entry) || stays_visible(tid, &entry);
                entry
            }
        };
        // Who writes into a pipe hardly ever sleeps in it.
        if entry.blocking != Blocking::Never && entry.family != Family::Write {
            (self.lives[who].baseline, self.lives[who].fruitless) = (None, 0);
        }
        if nr == libc::SYS_rt_sigreturn {
            self.note_call(tid, entry, Some(0)); // what it returns is the interrupted code's
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.interrupted = thread.suspended.pop().flatten();
            }
        } else if let Some(thread) = self.threads.get_mut(&tid) {
            thread.entry = Some(entry);
        }
        self.resume(tid, 0);
    }

    /// A process is about to exit with a code of its own.
    fn change_exit_code(&self, tid: i32, who: Proc) {
        if let Some(wanted) = &self.plan.exit_code
            && wanted.who == self.story.processes[who].name
            && self.end.is_none()
        {
            // A process that was killed meanwhile needs no code.
            let _ = arch::set_first_argument(Pid::from_raw(tid), wanted.code.into());
        }
    }

    fn inject(&mut self, tid: i32, entry: &Entry) -> bool {
        for (fault, seen) in self.plan.faults.iter().zip(&mut self.faults_seen) {
            let counts = fault.family == entry.family && !entry.thread;
            // Rust's runtime itself polls at the start, without waiting.
            let must_wait = fault.errno == Errno::EINTR as i32 || fault.family == Family::Poll;
            if !counts || (must_wait && entry.blocking == Blocking::Never) || !self.executed {
                continue;
            }
            *seen += 1;
            if *seen == fault.nth {
                let event = What::Fault(entry.name.clone());
                self.story.events.push(Event {
                    who: self.threads[&tid].who,
                    what: event,
                });
                return arch::skip_call(Pid::from_raw(tid), -i64::from(fault.errno)).is_ok();
            }
        }
        false
    }

    fn call_returned(&mut self, tid: i32) {
        let Ok(info) = ptrace::syscall_info(Pid::from_raw(tid)) else {
            return self.resume(tid, 0);
        };
        if info.op != libc::PTRACE_SYSCALL_INFO_EXIT {
            return self.resume(tid, 0);
        }
        // SAFETY: at a syscall-exit stop the kernel fills this part of the union.
        let mut result = unsafe { info.u.exit }.sval;
        // ERESTARTNOHAND. Under a tracer an ignored signal wakes the sleeper and ends its call with EINTR; untraced it
        // would have slept on. So it is made to: the kernel takes the call up again.
        const RESTART: i64 = -514;
        let injected = self.threads[&tid]
            .entry
            .as_ref()
            .is_some_and(|entry| entry.injected);
        if result == -(Errno::EINTR as i64)
            && !injected
            && proc::Status::read(tid).is_some_and(|status| status.only_ignored_pending())
            && arch::set_result(Pid::from_raw(tid), RESTART).is_ok()
        {
            result = RESTART;
        }
        let Some(entry) = self.threads.get_mut(&tid).and_then(|thread| thread.entry.take()) else {
            return self.resume(tid, 0);
        };
        if (-516..=-512).contains(&result) {
            if let Some(thread) = self.threads.get_mut(&tid) {
                thread.interrupted = Some(Entry {
                    unfinished: result,
                    ..entry
                });
            }
            return self.resume(tid, 0);
        }
        let (who, family, name) = (self.threads[&tid].who, entry.family, entry.name.clone());
        self.givers_first(tid, |giver| giver.gives_to(&entry));
        if entry.tells_of_stops() {
            let children = self.story.children(who);
            self.take_reports_of(|thread| children.contains(&thread.who));
        }
        self.note_call(tid, entry, Some(result));
        if self.pauses(who, &name) {
            self.set_stop(tid, Stop::Paused);
        } else if self.holds_between(who, Some(family)) {
            self.set_stop(tid, Stop::HeldBetween);
        } else {
            self.resume(tid, 0);
        }
    }

    /// Who gave what `taker` has just got is on its way back from the call, if it is not back yet: it is told first.
    fn givers_first(&mut self, taker: i32, gave: impl Fn(&Entry) -> bool) {
        let is_giver =
            |thread: &Tracee| thread.stop == Stop::None && thread.entry.as_ref().is_some_and(&gave);
        let others = self
            .threads
            .iter()
            .filter(|&(&tid, thread)| tid != taker && is_giver(thread));
        let givers: Vec<i32> = others.map(|(&tid, _)| tid).collect();
        for tid in givers {
            while !self.take_report_of(tid) {
                if proc::is_off_queue(tid) {
                    self.take_report_of(tid); // it may have come between the two looks; else it sleeps in its call
                    break;
                }
                std::thread::yield_now();
            }
        }
    }

    /// The call that a process is in when it is killed: it never came back.
    fn note_present_call(&mut self, who: Proc) {
        let mut threads = self.threads.values().filter(|thread| thread.who == who);
        let Some(entry) = threads.find_map(|thread| thread.entry.clone()) else {
            return;
        };
        let mut on = entry.on;
        for name in &mut on {
            self.name_stream(name);
        }
        let call = Call {
            name: entry.name,
            family: entry.family,
            args: entry.args.to_vec(),
            on,
            blocking: entry.blocking,
            nanoseconds: entry.nanoseconds,
            since: entry.since,
            result: None,
            wait: None,
            text: String::new(),
            times: 1,
        };
        self.note(who, What::Calls(call));
    }

    fn note_call(&mut self, tid: i32, entry: Entry, result: Option<i64>) {
        let who = self.threads[&tid].who;
        self.side_effects(tid, who, &entry, result.unwrap_or(-1));
        let wait = (entry.family == Family::Wait && result.is_some())
            .then(|| self.wait_of(tid, who, &entry, result.unwrap_or(-1)));
        let reaped = wait.as_ref().and_then(|wait| {
            let child = wait.child.filter(|_| !wait.nowait)?;
            // Told of its stop, say, the caller has not reaped it, even if it has ended meanwhile.
            let life = &self.lives[child];
            (life.phase == Phase::Zombie && !proc::exists(life.pid)).then_some(child)
        });
        let mut text = String::new();
        let mut on = entry.on.clone();
        if entry.name == "rt_sigaction" && entry.args[1] != 0 {
            on = vec![
                crate::signal_name(entry.args[0] as i32),
                disposition(tid, entry.args[1]).to_owned(),
            ];
        }
        if entry.name == "epoll_ctl" && entry.args[3] != 0 {
            on.push(epoll_events(memory::word(tid, entry.args[3], 0).unwrap_or(0)));
        }
        if matches!(entry.family, Family::Bind | Family::Connect) {
            on.extend(memory::socket_address(tid, entry.args[1], entry.args[2]));
        }
        for name in &mut on {
            self.name_stream(name);
        }
        if entry.family == Family::Write && on.first().is_some_and(|on| on == "stdout" || on == "stderr") {
            text = self.written(tid, &entry, result);
        }
        let is_output = !text.is_empty();
        if is_the_loaders(entry.family, &on) {
            if self.lives[who].fruitless >= FRUITLESS {
                self.finish(End::Busy(who));
            }
            return;
        }
        if let Some(result) = result {
            self.socket_effects(tid, who, &entry, &mut on, result);
        }
        if self.count_idle_wakes(who, &entry, result) {
            return self.finish(End::Spins(sleeper(who, entry, on)));
        }
        let call = Call {
            name: entry.name,
            family: entry.family,
            args: entry.args.to_vec(),
            on,
            blocking: entry.blocking,
            nanoseconds: entry.nanoseconds,
            since: entry.since,
            result,
            wait,
            text,
            times: 1,
        };
        self.note(who, What::Calls(call));
        if let Some(child) = reaped {
            self.lives[child].phase = Phase::Gone;
            self.note(child, What::Reaped { by: who });
        }
        let endless = self.story.events.len() >= EVENTS || self.words >= WORDS;
        if endless && is_output {
            self.finish(End::TooMuch(self.words));
        } else if endless || self.lives[who].fruitless >= FRUITLESS {
            self.finish(End::Busy(who));
        }
    }

    /// What happened to a socket: it listens, it was accepted, bytes went over it.
    fn socket_effects(&mut self, tid: i32, who: Proc, entry: &Entry, on: &mut Vec<String>, result: i64) {
        match entry.family {
            _ if entry.name == "listen" && result == 0 => {
                if let Some(link) = entry.on.first() {
                    self.sockets.insert(link.clone(), "listener".to_owned());
                    *on = vec!["listener".to_owned()];
                }
            }
            Family::Accept if result >= 0 => {
                self.accepted += 1;
                let name = format!("connection {}", self.accepted);
                on.push(name.clone());
                // Named at once: its number may have been that of one before.
                if let Some(link) = proc::descriptor(tid, result as i32) {
                    self.sockets.insert(link, name);
                }
            }
            _ if entry.name == "socket" && result >= 0 => {
                if let Some(link) = proc::descriptor(tid, result as i32) {
                    self.sockets.remove(&link); // a number that has been used before
                }
            }
            Family::Read if result > 0 => self.count_traffic(who, on, result as u64, 0),
            Family::Write if result > 0 => self.count_traffic(who, on, 0, result as u64),
            _ => {}
        }
    }

    fn count_traffic(&mut self, who: Proc, on: &[String], read: u64, written: u64) {
        let is_socket = |on: &&String| on.starts_with("connection ") || on.starts_with("socket:");
        let Some(on) = on.first().filter(is_socket) else {
            return;
        };
        let all = &mut self.story.traffic;
        let at = all
            .iter()
            .rposition(|traffic| traffic.who == who && traffic.on == *on);
        let at = at.unwrap_or_else(|| {
            all.push(Traffic {
                who,
                on: on.clone(),
                read: 0,
                written: 0,
                most_owed: 0,
            });
            all.len() - 1
        });
        let traffic = &mut all[at];
        traffic.read += read;
        traffic.written += written;
        traffic.most_owed = traffic
            .most_owed
            .max(traffic.read.saturating_sub(traffic.written));
    }

    /// Counts the times that somebody was woken to do something and did not; `true` when these were too many.
    fn count_idle_wakes(&mut self, who: Proc, entry: &Entry, result: Option<i64>) -> bool {
        let result = result.unwrap_or(-1);
        let life = &mut self.lives[who];
        match entry.family {
            Family::Poll if result > 0 => life.idle_wakes += 1,
            Family::Read | Family::Write | Family::Connect if result > 0 => life.idle_wakes = 0,
            Family::Accept | Family::Wait | Family::Fork if result >= 0 => life.idle_wakes = 0,
            _ if entry.name == "close" && result == 0 => life.idle_wakes = 0,
            _ => {}
        }
        life.idle_wakes >= IDLE_WAKES
    }

    /// What the witness has to know later.
    fn side_effects(&mut self, tid: i32, who: Proc, entry: &Entry, result: i64) {
        let life = &mut self.lives[who];
        match entry.name.as_str() {
            "rt_sigaction" if entry.args[1] != 0 && result == 0 => {
                // The kernel's `struct sigaction`: handler, flags (`linux/signal_types.h`).
                let handler = memory::double_word(tid, entry.args[1], 0);
                let flags = memory::double_word(tid, entry.args[1], 1).unwrap_or(0);
                let bit = 1_u64.checked_shl(entry.args[0] as u32 - 1).unwrap_or(0);
                life.restarts = life.restarts & !bit
                    | if flags & libc::SA_RESTART as u64 == 0 {
                        0
                    } else {
                        bit
                    };
                if entry.args[0] == libc::SIGCHLD as u64 {
                    life.ignores_children =
                        handler == Some(libc::SIG_IGN as u64) || flags & libc::SA_NOCLDWAIT as u64 != 0;
                }
            }
            "alarm" | "setitimer" | "timer_settime" | "timerfd_settime" => life.has_timer = true,
            "prctl" if entry.args[0] == libc::PR_SET_DUMPABLE as u64 && result == 0 => {
                life.undumpable = entry.args[1] == 0;
            }
            "setsockopt" if matches!(entry.args[2] as i32, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO) => {
                life.has_timer = true;
            }
            _ => {}
        }
        let asks = matches!(entry.name.as_str(), "getppid" | "sched_yield" | "kill") || result <= 0;
        let counts = !matches!(
            entry.name.as_str(),
            "close" | "rt_sigaction" | "prctl" | "fcntl" | "setsockopt" | "epoll_ctl"
        );
        life.fruitless = match (asks && counts, entry.blocking) {
            (true, Blocking::Never) => life.fruitless + 1,
            (true, _) => 0,
            (false, _) => life.fruitless,
        };
    }

    fn wait_of(&self, tid: i32, who: Proc, entry: &Entry, result: i64) -> Wait {
        let [first, second, third, fourth, ..] = entry.args;
        let (wanted, options, status_at) = if entry.name == "wait4" {
            (first as i32, third as i32, second)
        } else {
            let wanted = match first as libc::idtype_t {
                libc::P_PID => second as i32,
                libc::P_PIDFD => {
                    let pid = entry
                        .on
                        .first()
                        .and_then(|on| on.strip_prefix("pidfd ")?.parse().ok());
                    pid.unwrap_or(0)
                }
                libc::P_PGID => 0,
                _ => -1,
            };
            (wanted, fourth as i32, third)
        };
        let told = match entry.name.as_str() {
            "wait4" => (result > 0).then_some(result as i32),
            _ if result != 0 => None,
            _ if status_at == 0 => self.vanished(who, wanted),
            // `siginfo_t`: signo, errno, code, padding, pid, uid, status.
            _ => memory::word(tid, status_at, 4).filter(|&pid| pid != 0),
        };
        let child = told.and_then(|pid| self.process_of(pid));
        let status = match entry.name.as_str() {
            _ if told.is_none() || status_at == 0 => None,
            "wait4" => memory::word(tid, status_at, 0),
            _ => memory::word(tid, status_at, 6),
        };
        let (nohang, nowait) = (options & libc::WNOHANG != 0, options & libc::WNOWAIT != 0);
        Wait {
            wanted,
            nohang,
            nowait,
            child,
            status,
        }
    }

    /// `waitid` with no place for its answer: which zombie of this process is not in the table any more?
    fn vanished(&self, who: Proc, wanted: i32) -> Option<i32> {
        let mine = |life: &&Life| life.parent == self.lives[who].pid && life.phase == Phase::Zombie;
        let zombies = self.lives.iter().filter(mine).map(|life| life.pid);
        zombies
            .filter(|&pid| wanted <= 0 || pid == wanted)
            .find(|&pid| !proc::exists(pid))
    }

    fn written(&self, tid: i32, entry: &Entry, result: Option<i64>) -> String {
        let len = result.unwrap_or(0).clamp(0, 4096) as usize;
        let bytes = match entry.name.as_str() {
            "write" | "sendto" => memory::bytes(tid, entry.args[1], len),
            "writev" => {
                let mut all = Vec::new();
                for i in 0..entry.args[2].min(16) {
                    let base = memory::double_word(tid, entry.args[1], 2 * i).unwrap_or(0);
                    let room = memory::double_word(tid, entry.args[1], 2 * i + 1).unwrap_or(0);
                    all.extend(memory::bytes(
                        tid,
                        base,
                        room.min((len - all.len()) as u64) as usize,
                    ));
                }
                all
            }
            _ => Vec::new(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn name_stream(&self, link: &mut String) {
        for (stream, name) in self.streams.iter().zip(["stdout", "stderr"]) {
            if link == stream {
                name.clone_into(link);
            }
        }
        if let Some(name) = self.sockets.get(link) {
            name.clone_into(link);
        }
    }

    // Orders, limits, ends

    fn limit(&mut self, channel: &Channel) {
        if let Some(stream) = channel.streams.iter().find(|stream| stream.overflows()) {
            self.finish(End::TooMuch(stream.total));
        }
        let seconds = self.started_at.elapsed().as_secs();
        if seconds >= self.plan.seconds && self.end.is_none() {
            let (ran, waited) = self.processor_time();
            self.finish(End::TimeLimit {
                seconds,
                slow: waited > ran.max(1_000_000_000),
            });
        }
    }

    /// Nanoseconds that the live processes ran, and waited for a processor.
    fn processor_time(&self) -> (u64, u64) {
        let alive = self.lives.iter().filter(|life| life.phase == Phase::Alive);
        let times = alive.filter_map(|life| proc::schedstat(life.pid));
        times.fold((0, 0), |(ran, waited), (r, w)| (ran + r, waited + w))
    }

    pub(super) fn release(&mut self, tid: i32, release: Release) {
        let Some(thread) = self.threads.get(&tid) else {
            return;
        };
        let (who, signal) = (
            thread.who,
            if let Stop::HeldAtSignal(signal) = thread.stop {
                signal
            } else {
                0
            },
        );
        self.note(who, What::Released(release));
        self.resume(tid, signal);
        self.pace.hurry();
    }

    pub(super) fn answer_quiet(&mut self, sleepers: &[Sleeper], channel: &Channel) {
        match self.asked.take() {
            Some(Order::Settle) => return channel.answer(&Answer::Settled),
            Some(Order::Traffic) => return channel.answer(&Answer::Traffic(self.story.traffic.clone())),
            _ => {}
        }
        self.fill(channel);
        let mut story = self.story.clone();
        story.asleep = sleepers.to_vec();
        channel.answer(&Answer::Quiet(story));
    }
}

/// Who of these has a report to give, which is left where it is; 0: nobody for now, `None`: nobody is left.
fn waiting(whom: libc::idtype_t, id: i32) -> Option<i32> {
    // SAFETY: `siginfo_t` is plain data, for which all zeros is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` is a valid place for the answer.
    let answer = unsafe { libc::waitid(whom, id.cast_unsigned(), &raw mut info, options) };
    // SAFETY: waitid has filled it, or left the zeros.
    (answer == 0).then(|| unsafe { info.si_pid() })
}

/// A process that makes itself undumpable hides its descriptors and its memory from every witness but root's (`proc(5)`).
/// The call is told, and answered with success, and not made; no core file is left in any case.
fn stays_visible(tid: i32, entry: &Entry) -> bool {
    let hides = entry.name == "prctl" && entry.args[..2] == [libc::PR_SET_DUMPABLE as u64, 0];
    hides && arch::skip_call(Pid::from_raw(tid), 0).is_ok()
}

/// The first bytes of a plain file: a program may have put a FIFO there, which would never open, or something endless.
pub(crate) fn small_file(path: &Path) -> Option<Vec<u8>> {
    let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    let mut bytes = Vec::new();
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(4096).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// How the dynamic loader reads its libraries at each start tells nothing about the program, and is most of what happens
/// in a small one (`ld.so(8)`).
fn is_the_loaders(family: Family, on: &[String]) -> bool {
    let of_the_system = |path: &String| {
        ["/lib/", "/lib64/", "/usr/lib/", "/etc/ld.so"]
            .iter()
            .any(|top| path.starts_with(top))
    };
    matches!(family, Family::Read | Family::Other) && on.first().is_some_and(of_the_system)
}

/// What a `struct sigaction` of the kernel at `address` asks for.
fn disposition(tid: i32, address: u64) -> &'static str {
    match memory::double_word(tid, address, 0) {
        Some(handler) if handler == libc::SIG_DFL as u64 => "default",
        Some(handler) if handler == libc::SIG_IGN as u64 => "ignored",
        _ => "handled",
    }
}

/// Who would sleep in this call.
fn sleeper(who: Proc, entry: Entry, on: Vec<String>) -> Sleeper {
    Sleeper {
        who,
        call: entry.name,
        family: entry.family,
        on,
        blocking: entry.blocking,
    }
}

/// The names of the bits of a `struct epoll_event`, which begins with them (`epoll_event(3type)`).
fn epoll_events(bits: i32) -> String {
    let names = [
        (libc::EPOLLIN, "EPOLLIN"),
        (libc::EPOLLOUT, "EPOLLOUT"),
        (libc::EPOLLRDHUP, "EPOLLRDHUP"),
        (libc::EPOLLPRI, "EPOLLPRI"),
        (libc::EPOLLET, "EPOLLET"),
        (libc::EPOLLONESHOT, "EPOLLONESHOT"),
        (libc::EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"),
    ];
    let set = names.iter().filter(|(bit, _)| bits & bit != 0);
    let set: Vec<&str> = set.map(|&(_, name)| name).collect();
    if set.is_empty() {
        "nothing".to_owned()
    } else {
        set.join(" | ")
    }
}

/// Two calls that tell the same thing: the second adds nothing but that it happened again.
fn same_again(last: &Call, new: &Call) -> bool {
    let tells_nothing = new.text.is_empty() && new.wait.as_ref().is_none_or(|wait| wait.child.is_none());
    tells_nothing
        && (&last.name, last.result, &last.on, last.nanoseconds)
            == (&new.name, new.result, &new.on, new.nanoseconds)
        && last.blocking == new.blocking
        && last.args == new.args
}

/// Sends a signal; a process that is gone already needs none.
pub(super) fn kill(pid: i32, signal: i32) {
    // SAFETY: takes no pointer; a traced process keeps its id until the witness has taken its end; an id that was read
    // from `/proc` is used at once.
    unsafe { libc::kill(pid, signal) };
}
