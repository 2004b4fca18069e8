//! What the kernel saw during one run: processes and events, in order, and the facts that follow from them.
//!
//! A story is made by the witness and sent as JSON; the same JSON is what `--json` prints.

use crate::calls::{Blocking, Family};
use nanoserde::{DeJson, SerJson};

/// A process of the run: its index in [`Story::processes`]. The program itself is [`MAIN`].
pub type Proc = usize;

/// The process that the run started.
pub const MAIN: Proc = 0;

/// One process of the run (threads are not counted).
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Process {
    /// `main`, its children in order of birth `c1`, `c2`, …, theirs `c1.1`, …
    pub name: String,
    /// The kernel's id, as `getpid(2)` answers.
    pub pid: i32,
    /// Who forked it; `None` for main.
    pub parent: Option<Proc>,
    /// Index of the event of its birth.
    pub born: usize,
}

/// One thing that happened, in the order in which the witness saw it. Two events of different processes that nothing
/// synchronises may stand in either order.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Event {
    /// The process to which it happened.
    pub who: Proc,
    /// What happened.
    pub what: What,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub enum What {
    /// The process began to run the program (main), or another one (a child that called `exec`).
    Execs(String),
    /// The program that it began to run got these descriptors besides 0, 1 and 2.
    Inherits(Vec<String>),
    /// It made a process; the call's name is `fork`, `vfork`, `clone` or `clone3`.
    Forks {
        /// The new process.
        child: Proc,
        /// By which call.
        call: String,
    },
    /// It made a thread.
    Spawns,
    /// A system call of interest came back, or never did because the process ended in it.
    Calls(Call),
    /// A signal was delivered.
    Signal(Signal),
    /// It stopped by job control, at this signal.
    Stops(i32),
    /// It was continued after a stop.
    Continues,
    /// The signal that ends it leaves a core file, and it has done nothing against that. (None is written: the witness
    /// sees to it.)
    Dumps,
    /// It ended. From here to its reaping it is a zombie.
    Ends(Ending),
    /// Its wait status was collected, and with it the last of it is gone.
    Reaped {
        /// By whom.
        by: Proc,
    },
    /// Nobody had to reap it: its parent ignores `SIGCHLD`, or set `SA_NOCLDWAIT`.
    AutoReaped,
    /// Its parent ended without having reaped it: it was a zombie to the last.
    LeftZombie,
    /// Its parent ended while it lived; the kernel gave it to this process id.
    Adopted {
        /// The new parent's process id, as `getppid(2)` answers from now on.
        pid: i32,
        /// The new parent, when it is a process of the run; else it is the nearest subreaper outside, or process 1.
        by: Option<Proc>,
    },
    /// The witness had held it, and let it go on, as the check had ordered.
    Released(Release),
    /// The witness made the call fail, as the check had ordered; the call itself follows.
    Fault(String),
    /// The witness ended it; why, in words.
    Killed(String),
}

/// A system call of interest.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Call {
    /// The name in section 2 of the manual; `wait4` for `waitpid`.
    pub name: String,
    /// What the call is for.
    pub family: Family,
    /// The first six arguments, as the kernel got them.
    pub args: Vec<u64>,
    /// What the first descriptor (or each polled one, the first 32) is: `stdout`, `pipe:[7]`, `anon_inode:[pidfd]`, a path;
    /// `listener` and `connection 2` for sockets that listen or were accepted. For a call that takes a path: the path, or both.
    /// Empty where there is nothing to say.
    pub on: Vec<String>,
    /// How long it may sleep.
    pub blocking: Blocking,
    /// For how many nanoseconds at most it asks to sleep. `None`: without an end, until a moment of some clock
    /// (`TIMER_ABSTIME`), or it is no call that sleeps for a time.
    pub nanoseconds: Option<u64>,
    /// How many events there were when the call was entered.
    pub since: usize,
    /// The result, or a negative errno; `None`: it never came back.
    pub result: Option<i64>,
    /// For a wait: what it asked for and got.
    pub wait: Option<Wait>,
    /// For a write to stdout or stderr: what was written (its first 4,096 bytes).
    pub text: String,
    /// How often it happened in a row, with the same result.
    pub times: usize,
}

/// What a wait asked for, and what it got.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Wait {
    /// The process id asked for: −1 for any child, 0 or less than −1 for a process group.
    pub wanted: i32,
    /// With `WNOHANG`.
    pub nohang: bool,
    /// With `WNOWAIT`: looks and leaves the child as it is.
    pub nowait: bool,
    /// The child it told of; `None`: none (`WNOHANG`), an error, or one from outside of the run.
    pub child: Option<Proc>,
    /// What it told of the child, where it asked for a status.
    pub status: Option<i32>,
}

/// A delivered signal.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Who sent it, where it was a process of the run.
    pub from: Option<Proc>,
    /// The process has a handler for it.
    pub caught: bool,
    /// The process ignores it, by its wish or by default.
    pub ignored: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerJson, DeJson)]
pub enum Ending {
    /// With this exit status, 0 to 255.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Release {
    /// Where it was held: `exit`, or a signal's name.
    pub at: String,
    /// What it was held for came about; `false`: nobody could move any more, and the witness let it go.
    pub in_turn: bool,
    /// Who slept at that moment, and in which call.
    pub asleep: Vec<Sleeper>,
}

/// A process that sleeps in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Sleeper {
    /// Which one.
    pub who: Proc,
    /// In which call.
    pub call: String,
    /// The call's family.
    pub family: Family,
    /// As [`Call::on`].
    pub on: Vec<String>,
    /// `Timed` or `Until`.
    pub blocking: Blocking,
}

/// How the run as a whole came to its end.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub enum End {
    /// Every process ended by itself.
    Over,
    /// The program could not be started: the reason, as strerror puts it.
    NotStarted(String),
    /// Main had ended; who was left was killed: their names.
    LeftBehind(Vec<String>),
    /// Everybody slept, and nothing could wake anybody.
    Hung(Vec<Sleeper>),
    /// This one used processor time and never slept.
    Busy(Proc),
    /// This one was woken again and again from the same kind of call, and did nothing about it: in what it would have slept.
    Spins(Sleeper),
    /// More live processes than the step allows: how many.
    TooMany(usize),
    /// More output than the step allows: bytes.
    TooMuch(usize),
    /// The last resort: wall-clock seconds, and whether the machine itself was slow (the program waited longer for a
    /// processor than it ran).
    TimeLimit {
        /// Seconds.
        seconds: u64,
        /// The machine was slow.
        slow: bool,
    },
    /// The check itself ended the run.
    Stopped,
}

/// The bytes that passed through one socket of a process.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Traffic {
    /// Whose.
    pub who: Proc,
    /// Which: as in [`Call::on`].
    pub on: String,
    /// Bytes read from it.
    pub read: u64,
    /// Bytes written to it.
    pub written: u64,
    /// The most that at one moment had been read and not yet written: what a server that echoes owed.
    pub most_owed: u64,
}

/// One run, as the kernel saw it.
#[derive(Clone, Debug, PartialEq, Eq, SerJson, DeJson)]
pub struct Story {
    /// Program and arguments.
    pub command: Vec<String>,
    /// What was special about this run, in words; empty for a plain one.
    pub given: String,
    /// Every process, in order of birth.
    pub processes: Vec<Process>,
    /// Every event, in order.
    pub events: Vec<Event>,
    /// Who sleeps, and in which call, when this is the story up to a quiet moment; else nobody.
    pub asleep: Vec<Sleeper>,
    /// Main is stopped behind this call, as the check had ordered.
    pub paused: Option<String>,
    /// What came out of main's standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// Calls that are not among the events, because the run was a long one: how many.
    pub untold: usize,
    /// What went over each socket that the program read or wrote, in order of first use.
    pub traffic: Vec<Traffic>,
    /// How it ended.
    pub end: End,
    /// Main's wait status, decoded; `None`: it never ended by itself.
    pub status: Option<Ending>,
    /// The file status flags of main's standard input when it ended (`open(2)`); `None`: it was closed, or not seen.
    pub input_flags: Option<i32>,
    /// What the file that the check asked about held when main ended; `None`: there was none.
    pub watched: Option<Vec<u8>>,
    /// `false`: `ptrace` was refused here, so that there are no events; the reason.
    pub unobserved: Option<String>,
    /// The process id of the witness: the nearest subreaper.
    pub witness: i32,
    /// The directory in which the program ran.
    pub directory: String,
}
