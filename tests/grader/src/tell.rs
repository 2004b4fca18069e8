//! Tells a story: as lanes on an axis of events, for a terminal, and process by process, for a snapshot.

use crate::{
    calls::{Blocking, Family},
    expect::quoted,
    signal_name,
    story::{Call, Ending, MAIN, Proc, Signal, Story, What},
};
use nix::{errno::Errno, libc};
use std::fmt::Write as _;

/// At most this many lanes stand side by side; a larger family is told line by line.
const LANES: usize = 4;
/// At most this many rows: a message is to be read at one go.
const ROWS: usize = 28;
/// More kills than that are told in one row.
const KILLS: usize = 6;
/// Columns in front of the lanes, for the mark.
const MARGIN: usize = 4;
/// Narrower lanes cannot be read: then the story is told line by line.
const NARROW: usize = 20;

impl Story {
    /// The story for a terminal of that many columns; the row of event `at` is marked. With `all` it is never cut.
    pub fn lanes(&self, at: Option<usize>, all: bool, columns: usize) -> String {
        let rows = self.rows(true);
        let marked = at.and_then(|at| rows.iter().position(|row| row.at >= at && !row.asleep));
        let (from, to) = if all {
            (0, rows.len())
        } else {
            window(rows.len(), marked)
        };
        let width = if self.processes.len() <= LANES {
            columns.saturating_sub(MARGIN) / self.processes.len().max(1)
        } else {
            0
        };
        let width = if width < NARROW { 0 } else { width };
        let lives: Vec<Life> = (0..self.processes.len()).map(|who| self.life(who)).collect();
        let mut text = String::new();
        if width > 0 {
            let names: String = self
                .processes
                .iter()
                .map(|p| format!("{:<width$}", p.name))
                .collect();
            let _ = writeln!(text, "    {}", names.trim_end());
        }
        if from > 0 {
            let _ = writeln!(text, "    … {from} earlier events");
        }
        for (i, row) in rows.iter().enumerate().take(to).skip(from) {
            let arrow = if Some(i) == marked { "  ▶ " } else { "    " };
            let line = if width > 0 {
                self.lane_row(row, &lives, width)
            } else {
                format!("{:<8} {}", self.name(row.who), row.text)
            };
            let _ = writeln!(text, "{arrow}{}", line.trim_end());
        }
        if to < rows.len() {
            let _ = writeln!(text, "    … {} later events", rows.len() - to);
        }
        if self.untold > 0 {
            let _ = writeln!(
                text,
                "    … and {} calls more, which are counted and not told",
                self.untold
            );
        }
        text
    }

    fn lane_row(&self, row: &Row, lives: &[Life], width: usize) -> String {
        let mut line = String::new();
        for (who, life) in lives.iter().enumerate() {
            let text = if who == row.who { row.text.as_str() } else { "" };
            // The last lane has nothing to its right that it could run into.
            let room = if who + 1 == lives.len() {
                usize::MAX
            } else {
                width.saturating_sub(4)
            };
            let cut: String = match text.chars().count() {
                n if n > room => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
                _ => text.to_owned(),
            };
            let _ = write!(line, "{:<width$}", format!("{} {cut}", life.glyph(row)));
        }
        line
    }

    fn life(&self, who: Proc) -> Life {
        let ended = self.end_of(who).map_or(usize::MAX, |(end, _)| end);
        let is_gone = |what: &What| matches!(what, What::Reaped { .. } | What::AutoReaped | What::LeftZombie);
        let gone = self
            .events_of(who)
            .find(|(_, what)| is_gone(what))
            .map(|(at, _)| at);
        // Main, and whoever the witness has adopted, is reaped by the witness as it ends.
        let gone = gone.unwrap_or(if self.is_orphan_or_main(who) {
            ended
        } else {
            usize::MAX
        });
        Life {
            born: self.processes[who].born,
            ended,
            gone,
        }
    }

    fn is_orphan_or_main(&self, who: Proc) -> bool {
        who == MAIN || self.adoption_of(who).is_some_and(|(_, pid)| self.is_adopter(pid))
    }

    /// The story process by process: nothing in it depends on who of two unsynchronised processes came first.
    pub fn by_process(&self) -> String {
        let rows = self.rows(false);
        let mut text = String::new();
        for (who, process) in self.processes.iter().enumerate() {
            let parent = process
                .parent
                .map(|parent| format!(", child of {}", self.name(parent)))
                .unwrap_or_default();
            let _ = writeln!(text, "{}{parent}", process.name);
            let mut own: Vec<(&str, usize)> = Vec::new();
            for row in rows.iter().filter(|row| row.who == who) {
                match own.last_mut() {
                    Some((last, times)) if *last == row.text => *times += 1,
                    _ => own.push((&row.text, 1)),
                }
            }
            for (line, times) in own {
                let _ = writeln!(text, "  {line}{}", if times > 1 { " (and again)" } else { "" });
            }
        }
        text
    }

    /// The events worth telling, in words. With `sleeps`, one during which others did something has a row of its own where
    /// it began.
    fn rows(&self, sleeps: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            let who = event.who;
            if sleeps
                && let What::Calls(call) = &event.what
                && call.blocking != Blocking::Never
                && call.result.is_some()
                && self.events[call.since.min(at)..at]
                    .iter()
                    .any(|other| other.who != who && self.tells(&other.what))
                && let Some(text) = self.sleep(call)
            {
                rows.push(Row {
                    at: call.since,
                    asleep: true,
                    who,
                    text,
                });
            }
            if let Some(text) = self.sentence(who, &event.what) {
                rows.push(Row {
                    at,
                    asleep: false,
                    who,
                    text,
                });
            }
        }
        rows.sort_by_key(|row| (row.at, !row.asleep));
        let is_kill = |row: &Row| matches!(self.events[row.at].what, What::Killed(_)) && !row.asleep;
        let kills = rows.iter().filter(|row| is_kill(row)).count();
        if kills > KILLS {
            let first = rows.iter().position(is_kill).unwrap_or(0);
            rows[first].text = format!("and {} others are killed by the witness", kills - 1);
            rows.truncate(first + 1);
        }
        rows
    }

    fn tells(&self, what: &What) -> bool {
        self.sentence(MAIN, what).is_some()
    }

    /// What a process does when it falls asleep in this call.
    fn sleep(&self, call: &Call) -> Option<String> {
        let on = || self.on(call);
        match call.family {
            Family::Wait => Some(format!("sleeps in {}", called(&call.name))),
            Family::Poll => Some(format!("sleeps in {} on {}", call.name, on())),
            Family::Read if is_channel(call) => Some(format!("sleeps in {} on {}", call.name, on())),
            Family::SignalWait | Family::Lock | Family::Accept => Some(format!("sleeps in {}", call.name)),
            _ => None,
        }
    }

    fn on(&self, call: &Call) -> String {
        // The directory has another name in each run.
        let each = call.on.iter().map(|on| on.replacen(&self.directory, "DIR", 1));
        let each: Vec<String> = each.map(|on| plain(&self.named(&on))).collect();
        if each.is_empty() {
            "nothing".to_owned()
        } else {
            each.join(", ")
        }
    }

    /// The event in words; `None` where it tells a learner nothing.
    fn sentence(&self, who: Proc, what: &What) -> Option<String> {
        Some(match what {
            What::Execs(_) if who == MAIN => return None,
            What::Execs(path) => format!("runs {path}"),
            What::Inherits(all) => {
                let all: Vec<String> = all.iter().map(|on| plain(&self.named(on))).collect();
                format!("keeps open: {}", all.join(", "))
            }
            What::Dumps => "leaves a core file".to_owned(),
            What::Forks { child, call } if call == "vfork" => format!("forks {} by vfork", self.name(*child)),
            What::Forks { child, .. } => format!("forks {}", self.name(*child)),
            What::Spawns => "makes a thread".to_owned(),
            What::Calls(call) => return self.call(call),
            What::Signal(signal) => return self.signal(signal),
            What::Stops(signal) => format!("is stopped by {}", signal_name(*signal)),
            What::Continues => "is continued".to_owned(),
            What::Ends(Ending::Exited(code)) => format!("exits with {code}"),
            What::Ends(Ending::Killed(signal)) => format!("is killed by {}", signal_name(*signal)),
            What::Reaped { by } => format!("is reaped by {}", self.name(*by)),
            What::AutoReaped => "is reaped by the kernel: its parent ignores SIGCHLD".to_owned(),
            What::LeftZombie => "was left a zombie: its parent is gone and never reaped it".to_owned(),
            What::Adopted { pid, by } => match by {
                Some(by) => format!("is adopted by {}", self.name(*by)),
                None if self.is_adopter(*pid) => {
                    "is adopted by the witness, the nearest subreaper".to_owned()
                }
                None => format!("is adopted by process {pid}"),
            },
            What::Released(_) => return None,
            What::Fault(name) => format!("is refused the next {name}, as the check ordered"),
            What::Killed(_) => "is killed by the witness".to_owned(),
        })
    }

    fn signal(&self, signal: &Signal) -> Option<String> {
        let from = signal
            .from
            .map(|from| format!(" from {}", self.name(from)))
            .unwrap_or_default();
        let name = signal_name(signal.number);
        match signal {
            Signal { caught: true, .. } if signal.number == libc::SIGCHLD => {
                Some(format!("gets {name}, and its handler runs"))
            }
            Signal { caught: true, .. } => Some(format!("gets {name}{from}, and its handler runs")),
            Signal { ignored: true, .. } => None,
            _ => Some(format!("gets {name}{from}")),
        }
    }

    fn call(&self, call: &Call) -> Option<String> {
        if call.result.is_none() && call.blocking != Blocking::Never {
            return self.sleep(call);
        }
        let failed = call.result.filter(|result| *result < 0).map(errno_name);
        let times = if call.times > 1 {
            format!(", {} times in a row", call.times)
        } else {
            String::new()
        };
        let came_back = failed
            .as_deref()
            .map_or_else(String::new, |name| format!(": {name}"));
        Some(match (call.family, call.name.as_str()) {
            (Family::Wait, _) => self.wait(call, failed.as_deref())? + &times,
            (Family::Fork, _) => format!("{} fails: {}", call.name, failed?),
            (Family::Exec, _) => format!("exec of {} fails: {}", self.on(call), failed?),
            (Family::Write, _)
                if matches!(call.on.first().map(String::as_str), Some("stdout" | "stderr")) =>
            {
                match &failed {
                    Some(name) => format!("{} to {} fails: {name}", call.name, self.on(call)),
                    None => format!("prints {}", quoted(&self.named(&call.text))),
                }
            }
            (Family::Write | Family::Read, _) if is_channel(call) => {
                let (verb, to) = if call.family == Family::Write {
                    ("writes", "to")
                } else {
                    ("reads", "from")
                };
                match (call.result?, &failed) {
                    (_, Some(name)) => format!("{} {to} {} fails: {name}{times}", call.name, self.on(call)),
                    (0, None) => format!("{verb} the end of {}{times}", self.on(call)),
                    (n, None) => format!(
                        "{verb} {n} byte{} {to} {}{times}",
                        if n == 1 { "" } else { "s" },
                        self.on(call)
                    ),
                }
            }
            (Family::Sleep, _) => format!("sleeps for a time ({}){came_back}{times}", call.name),
            (Family::Poll, _) if call.blocking == Blocking::Never && call.times < 10 => return None,
            (Family::Poll, _) if failed.is_some() || call.result == Some(0) => {
                format!(
                    "waits in {} on {}{}{times}",
                    call.name,
                    self.on(call),
                    if failed.is_some() {
                        came_back
                    } else {
                        ": nothing".to_owned()
                    }
                )
            }
            (Family::Poll, _) if call.on.len() > 2 => format!(
                "wakes in {}: {} of {}{} descriptors ready{times}",
                call.name,
                call.result?,
                call.on.len(),
                if call.on.len() == 32 { " or more" } else { "" }
            ),
            (Family::Poll, _) => {
                let on = self.on(call).replace(", ", " or ");
                format!("wakes in {}: {on} is ready{times}", call.name)
            }
            (Family::Bind, _) => format!("binds a socket to {}{came_back}", self.place(call)),
            (Family::Connect, _) => format!("connects to {}{came_back}", self.place(call)),
            (Family::Accept, _) if failed.is_none() => format!("accepts {}", plain(call.on.last()?)),
            (Family::SignalWait, _) => format!("waits for a signal in {}{came_back}", call.name),
            (Family::Accept | Family::Lock, _) => {
                format!("{} on {}{came_back}", call.name, self.on(call))
            }
            (_, "kill" | "tkill" | "tgkill") => self.kill(call, failed.as_deref()),
            (_, "rt_sigaction") => self.disposition(call)?,
            (_, "epoll_ctl") => self.interest(call)? + &came_back,
            (_, "close") if call.on.first().is_some_and(|on| on.starts_with("connection ")) => {
                format!("closes {}{came_back}", self.on(call))
            }
            (_, "setsid") => format!("starts a session of its own (setsid){came_back}"),
            (_, "chdir") => format!("goes to directory {}{came_back}", self.on(call)),
            (_, "prctl") if call.args.first() == Some(&(libc::PR_SET_PDEATHSIG as u64)) => {
                format!(
                    "asks for {} when its parent ends (PR_SET_PDEATHSIG)",
                    signal_name(call.args[1] as i32)
                )
            }
            (_, "prctl") if call.args.first() == Some(&(libc::PR_SET_CHILD_SUBREAPER as u64)) => {
                "becomes a subreaper (PR_SET_CHILD_SUBREAPER)".to_owned()
            }
            (_, "open" | "openat" | "creat") if is_own_file(call) => {
                format!("opens {}{came_back}", self.on(call))
            }
            (_, "unlink" | "unlinkat" | "rename") => format!("{} {}{came_back}", call.name, self.on(call)),
            (_, "getppid" | "sched_yield") if call.times > 1 => format!("calls {}{times}", call.name),
            _ => return None,
        })
    }

    /// The address of a bind or a connect.
    fn place(&self, call: &Call) -> String {
        let place = call.on.get(1).map_or("", String::as_str);
        place.replacen(&self.directory, "DIR", 1)
    }

    /// What `epoll_ctl` registers, changes or removes.
    fn interest(&self, call: &Call) -> Option<String> {
        let what = plain(call.on.first()?);
        let events = call.on.get(1).map_or("nothing", String::as_str);
        match *call.args.get(1)? as i32 {
            libc::EPOLL_CTL_ADD => Some(format!("has epoll watch {what} for {events}")),
            libc::EPOLL_CTL_MOD => Some(format!("has epoll watch {what} for {events} from now on")),
            _ => Some(format!("has epoll forget {what}")),
        }
    }

    fn wait(&self, call: &Call, failed: Option<&str>) -> Option<String> {
        let wait = call.wait.as_ref()?;
        Some(match (failed, wait.child) {
            (Some(name), _) => format!("{}: {name}", called(&call.name)),
            (None, None) if wait.nohang => format!("{} with WNOHANG: nobody yet", called(&call.name)),
            (None, None) => called(&call.name).to_owned(),
            (None, Some(child)) if wait.nowait => {
                format!("looks at {}, which has ended (WNOWAIT)", self.name(child))
            }
            (None, Some(child)) => format!("{} tells of {}", called(&call.name), self.name(child)),
        })
    }

    fn kill(&self, call: &Call, failed: Option<&str>) -> String {
        let (to, signal) = if call.name == "tgkill" {
            (call.args[1], call.args[2])
        } else {
            (call.args[0], call.args[1])
        };
        let to = self.named(&(to as i32).to_string());
        let came_back = failed.map_or_else(String::new, |name| format!(": {name}"));
        match signal {
            0 => format!("asks whether {to} is there (kill 0){came_back}"),
            _ => format!("sends {} to {to}{came_back}", signal_name(signal as i32)),
        }
    }

    /// Rust and the C library set up a few of their own at the start; only the signals of the labs are told.
    fn disposition(&self, call: &Call) -> Option<String> {
        let [signal, disposition] = &call.on[..] else {
            return None;
        };
        let told = [
            "SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2",
        ]
        .contains(&signal.as_str());
        match disposition.as_str() {
            "ignored" if told => Some(format!("ignores {signal}")),
            "handled" if told => Some(format!("sets a handler for {signal}")),
            _ => None,
        }
    }
}

/// The events between which a process lived, and was a zombie.
struct Life {
    born: usize,
    ended: usize,
    gone: usize,
}

impl Life {
    /// `│` alive, `┊` a zombie, nothing before birth and after the reaping.
    fn glyph(&self, row: &Row) -> char {
        match row.at {
            at if at < self.born || at > self.gone => ' ',
            at if at > self.ended => '┊',
            at if at == self.ended && !row.asleep => '╵',
            _ => '│',
        }
    }
}

struct Row {
    at: usize,
    /// It tells where a sleep began: before the event of that index.
    asleep: bool,
    who: Proc,
    text: String,
}

/// `waitpid(-1)`, `waitid`, as the program called it.
pub(crate) fn called(name: &str) -> &str {
    if name == "wait4" { "waitpid" } else { name }
}

fn is_channel(call: &Call) -> bool {
    call.on
        .first()
        .is_some_and(|on| !on.starts_with('/') && on != "stdin")
}

/// Not one of the loader's or the runtime's.
fn is_own_file(call: &Call) -> bool {
    let theirs = [
        "/etc/",
        "/lib",
        "/usr/",
        "/proc/self/",
        "/sys/",
        "/dev/",
        "/proc/meminfo",
    ];
    call.on
        .first()
        .is_some_and(|path| !path.is_empty() && !theirs.iter().any(|prefix| path.starts_with(prefix)))
}

/// A descriptor in a learner's words: inode numbers say nothing.
pub(crate) fn plain(on: &str) -> String {
    match on {
        on if on.starts_with("pipe:") => "a pipe".to_owned(),
        on if on.starts_with("socket:") => "a socket".to_owned(),
        on if on.starts_with("anon_inode:") => on
            .trim_start_matches("anon_inode:")
            .trim_matches(['[', ']'])
            .to_owned(),
        on if on.starts_with("pidfd ") => format!("the pidfd of {}", &on[6..]),
        on => on.to_owned(),
    }
}

fn errno_name(result: i64) -> String {
    let errno = Errno::from_raw(i32::try_from(-result).unwrap_or(0));
    format!("{errno:?}")
}

/// The rows around the marked one, or the last ones.
fn window(rows: usize, marked: Option<usize>) -> (usize, usize) {
    if rows <= ROWS {
        return (0, rows);
    }
    let to = marked.map_or(rows, |marked| (marked + ROWS / 4 + 1).clamp(ROWS, rows));
    (to - ROWS, to)
}
