//! Facts about a run: questions that a story answers, without an opinion.

use crate::{
    calls::{Blocking, Family},
    story::{Call, Ending, Event, MAIN, Proc, Process, Release, Signal, Sleeper, Story, Wait, What},
};
use nix::errno::Errno;
use std::ops::Range;

impl Story {
    /// The process's name.
    pub fn name(&self, who: Proc) -> &str {
        self.processes
            .get(who)
            .map_or("?", |process| process.name.as_str())
    }

    /// The process's id; 0 for one that was never born.
    pub fn pid(&self, who: Proc) -> i32 {
        self.processes.get(who).map_or(0, |process| process.pid)
    }

    /// The process of that name.
    pub fn find(&self, name: &str) -> Option<Proc> {
        self.processes.iter().position(|process| process.name == name)
    }

    /// The processes that `parent` forked, in order of birth.
    pub fn children(&self, parent: Proc) -> Vec<Proc> {
        let is_child = |process: &Process| process.parent == Some(parent);
        (0..self.processes.len())
            .filter(|&who| is_child(&self.processes[who]))
            .collect()
    }

    /// Standard output as text.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The events of one process, with their indices.
    pub fn events_of(&self, who: Proc) -> impl DoubleEndedIterator<Item = (usize, &What)> {
        let of = move |&(_, event): &(usize, &Event)| event.who == who;
        self.events
            .iter()
            .enumerate()
            .filter(of)
            .map(|(at, event)| (at, &event.what))
    }

    fn position(&self, who: Proc, is_it: impl Fn(&What) -> bool) -> Option<usize> {
        self.events_of(who)
            .find(|(_, what)| is_it(what))
            .map(|(at, _)| at)
    }

    /// When, and how, the process ended.
    pub fn end_of(&self, who: Proc) -> Option<(usize, Ending)> {
        self.events_of(who).find_map(|(at, what)| match what {
            What::Ends(ending) => Some((at, *ending)),
            _ => None,
        })
    }

    /// When, and by whom, the process was reaped.
    pub fn reaping_of(&self, who: Proc) -> Option<(usize, Proc)> {
        self.events_of(who).find_map(|(at, what)| match what {
            What::Reaped { by } => Some((at, *by)),
            _ => None,
        })
    }

    /// When the kernel gave the process a new parent, and that parent's process id; the last time, if there were several.
    pub fn adoption_of(&self, who: Proc) -> Option<(usize, i32)> {
        self.events_of(who).rev().find_map(|(at, what)| match what {
            What::Adopted { pid, .. } => Some((at, *pid)),
            _ => None,
        })
    }

    /// The descriptors besides 0, 1 and 2 that crossed an exec of the process, and when.
    pub fn inheritance_of(&self, who: Proc) -> Option<(usize, &[String])> {
        self.events_of(who).find_map(|(at, what)| match what {
            What::Inherits(all) => Some((at, &all[..])),
            _ => None,
        })
    }

    /// When the process left a core file.
    pub fn dump_of(&self, who: Proc) -> Option<usize> {
        self.position(who, |what| matches!(what, What::Dumps))
    }

    /// The process needed no reaping: its parent ignored `SIGCHLD`.
    pub fn was_auto_reaped(&self, who: Proc) -> bool {
        self.position(who, |what| matches!(what, What::AutoReaped))
            .is_some()
    }

    /// When it came out that the process was never reaped by a parent that has ended.
    pub fn left_zombie(&self, who: Proc) -> Option<usize> {
        self.position(who, |what| matches!(what, What::LeftZombie))
    }

    /// All calls of a process, with their indices.
    pub fn calls(&self, who: Proc) -> impl DoubleEndedIterator<Item = (usize, &Call)> {
        self.events_of(who).filter_map(|(at, what)| match what {
            What::Calls(call) => Some((at, call)),
            _ => None,
        })
    }

    /// The calls of a family.
    pub fn calls_of(&self, who: Proc, family: Family) -> impl DoubleEndedIterator<Item = (usize, &Call)> {
        self.calls(who).filter(move |(_, call)| call.family == family)
    }

    /// All waits of a process, `wait4` and `waitid`.
    pub fn waits(&self, who: Proc) -> impl DoubleEndedIterator<Item = (usize, &Call, &Wait)> {
        self.calls(who)
            .filter_map(|(at, call)| Some((at, call, call.wait.as_ref()?)))
    }

    /// The sleeps for a length of time that a process slept out between two events, with their indices. `None` where the
    /// lengths do not tell how long it slept: it slept until a moment, or on a timer, or has several threads.
    pub fn naps(&self, who: Proc, between: Range<usize>) -> Option<Vec<(usize, &Call)>> {
        const TIMERS: [&str; 4] = ["alarm", "setitimer", "timer_settime", "timerfd_settime"];
        let sets_a_timer = self
            .calls(who)
            .any(|(_, call)| TIMERS.contains(&call.name.as_str()));
        let has_threads = self.position(who, |what| matches!(what, What::Spawns)).is_some();
        let calls = self.calls(who).filter(|(at, _)| between.contains(at));
        let sleeps: Vec<(usize, &Call)> = calls.filter(|(_, call)| call.may_end_by_time()).collect();
        let untold = sleeps.iter().any(|(_, call)| call.nanoseconds.is_none());
        let slept_out =
            |(_, call): &(usize, &Call)| [0, -(Errno::EAGAIN as i64)].contains(&call.result.unwrap_or(-1));
        (!sets_a_timer && !has_threads && !untold).then(|| sleeps.into_iter().filter(slept_out).collect())
    }

    /// By which signal the process has been stopped, if nobody has continued it since.
    pub fn stopped_by(&self, who: Proc) -> Option<i32> {
        let last = self.events_of(who).rev().find_map(|(_, what)| match what {
            What::Stops(signal) => Some(Some(*signal)),
            What::Continues | What::Ends(_) => Some(None),
            _ => None,
        });
        last.flatten()
    }

    /// The signals that a process got.
    pub fn signals(&self, who: Proc) -> impl DoubleEndedIterator<Item = (usize, &Signal)> {
        self.events_of(who).filter_map(|(at, what)| match what {
            What::Signal(signal) => Some((at, signal)),
            _ => None,
        })
    }

    /// When the witness let the process go that it held at its exit, and how.
    pub fn release_of(&self, who: Proc) -> Option<(usize, &Release)> {
        self.events_of(who).find_map(|(at, what)| match what {
            What::Released(release) if release.at == "exit" => Some((at, release)),
            _ => None,
        })
    }

    /// In what `sleeper` slept at the moment when `held` was let go to its end.
    pub fn slept_at_end_of(&self, held: Proc, sleeper: Proc) -> Option<&Sleeper> {
        let (_, release) = self.release_of(held)?;
        release.asleep.iter().find(|asleep| asleep.who == sleeper)
    }

    /// What was written to `stream` (`stdout` or `stderr`): for each write its index, who made it, and its text.
    pub fn all_writes<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = (usize, Proc, &'a str)> {
        let written = move |event: &'a Event| match &event.what {
            What::Calls(call) if call.family == Family::Write && call.result > Some(0) => {
                let to_it = call.on.first().is_some_and(|on| on == stream);
                to_it.then_some((event.who, call.text.as_str()))
            }
            _ => None,
        };
        let all = self.events.iter().enumerate();
        all.filter_map(move |(at, event)| written(event).map(|(who, text)| (at, who, text)))
    }

    /// What a process wrote to `stream`: for each write its index and its text.
    pub fn writes<'a>(&'a self, who: Proc, stream: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        let own = self
            .all_writes(stream)
            .filter(move |&(_, writer, _)| writer == who);
        own.map(|(at, _, text)| (at, text))
    }

    /// The whole lines on standard output, in order: for each the index of the write that completed it, and who made that.
    pub fn lines(&self) -> Vec<(usize, Proc, String)> {
        let (mut lines, mut begun) = (Vec::new(), vec![String::new(); self.processes.len()]);
        for (at, who, text) in self.all_writes("stdout") {
            for piece in text.split_inclusive('\n') {
                begun[who].push_str(piece.trim_end_matches('\n'));
                if piece.ends_with('\n') {
                    lines.push((at, who, std::mem::take(&mut begun[who])));
                }
            }
        }
        lines
    }

    /// The whole lines that a process wrote to standard output, each with the index of the write that completed it.
    pub fn lines_of(&self, who: Proc) -> Vec<(usize, String)> {
        let own = self.lines().into_iter().filter(|&(_, writer, _)| writer == who);
        own.map(|(at, _, line)| (at, line)).collect()
    }

    /// Who wrote that line to standard output, and when: every time that it was written, by process.
    pub fn writers_of(&self, line: &str) -> Vec<(usize, Proc)> {
        let all = self.lines().into_iter().filter(|(_, _, text)| text == line);
        let mut writers: Vec<(usize, Proc)> = all.map(|(at, who, _)| (at, who)).collect();
        writers.sort_by_key(|&(_, who)| who);
        writers
    }

    /// Who wrote lines that begin so, and when, and the rest of each line; by process.
    pub fn writers_of_prefix(&self, prefix: &str) -> Vec<(usize, Proc, String)> {
        let rest =
            |(at, who, text): (usize, Proc, String)| Some((at, who, text.strip_prefix(prefix)?.to_owned()));
        let mut writers: Vec<_> = self.lines().into_iter().filter_map(rest).collect();
        writers.sort_by_key(|&(_, who, _)| who);
        writers
    }

    /// Whether the witness's adopter of an orphan is this process id: the nearest subreaper above the program.
    pub fn is_adopter(&self, pid: i32) -> bool {
        pid == self.witness
    }

    /// The processes that were alive just before event `at`, except main.
    pub fn alive_at(&self, at: usize) -> Vec<Proc> {
        let lives = |&who: &Proc| {
            who != MAIN && self.processes[who].born < at && self.end_of(who).is_none_or(|(end, _)| end >= at)
        };
        (0..self.processes.len()).filter(lives).collect()
    }

    /// The text, with every process id of the run replaced by the process's name.
    pub fn named(&self, text: &str) -> String {
        let (mut named, mut number) = (String::new(), String::new());
        for c in text.chars().chain(['\0']) {
            if c.is_ascii_digit() {
                number.push(c);
                continue;
            }
            let pid = number.parse().unwrap_or(0);
            let process = self
                .processes
                .iter()
                .rfind(|process| process.pid == pid && pid != 0);
            match process {
                Some(process) => named.push_str(&process.name),
                None if pid == self.witness => named.push_str("the witness"),
                None => named.push_str(&number),
            }
            number.clear();
            if c != '\0' {
                named.push(c);
            }
        }
        named
    }
}

impl Call {
    /// It sleeps for a time, or until a signal comes, which may be that of a timer.
    fn may_end_by_time(&self) -> bool {
        self.blocking == Blocking::Timed || self.family == Family::SignalWait
    }
}
