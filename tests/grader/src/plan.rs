//! What a check orders of a run: the command, its input, the faults and the holds.

use crate::calls::Family;
use nanoserde::{DeJson, SerJson};
use nix::errno::Errno;

/// Everything the witness has to know before it starts the program.
#[derive(Clone, Debug, SerJson, DeJson)]
pub struct Plan {
    /// The program's path, then its arguments.
    pub command: Vec<String>,
    /// Arguments need not be text: each character of `command` stands for a byte.
    pub bytes: bool,
    /// No story is wanted, and the command is only the program: each [`Order::Command`] is a run of its own.
    pub quick: bool,
    /// Variables to set in its environment.
    pub env: Vec<(String, String)>,
    /// The directory to run in; empty: a new, empty one, which the witness removes.
    pub directory: String,
    /// Files that are in the directory before it starts: name and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// As `files`, and everybody may execute them.
    pub programs: Vec<(String, Vec<u8>)>,
    /// What its standard input holds; `None`: `/dev/null`.
    pub input: Option<Vec<u8>>,
    /// Where its standard output goes.
    pub stdout: Stdout,
    /// The path of a terminal that is its standard input, output and error, and its controlling terminal; empty: none is.
    pub terminal: String,
    /// Calls that fail.
    pub faults: Vec<Fault>,
    /// Every process is held at its exit until all others sleep, and let go one by one, those named here in this order
    /// and before all others, the rest by birth.
    pub hold_exits: Option<Vec<String>>,
    /// The first delivery of a signal is held.
    pub hold_signal: Option<HoldSignal>,
    /// The return of a call is held.
    pub hold_call: Option<HoldCall>,
    /// A process exits with another code than it wanted to.
    pub exit_code: Option<ExitCode>,
    /// This process goes first: every other one is held at its birth and after each of its calls until all who are not
    /// held sleep or have ended.
    pub first: Option<String>,
    /// The contents of this file at main's end are of interest.
    pub watch: Option<String>,
    /// At main's end this signal is sent to the process whose id the watched file holds; 0: none is.
    pub signal_watched: i32,
    /// How many processes may live at once, over and above which the run is ended.
    pub processes: usize,
    /// How many bytes each output stream may carry.
    pub output: usize,
    /// The last resort, in seconds of wall-clock time.
    pub seconds: u64,
    /// Main is stopped behind its `nth` call, counted from its first `socket(2)` or `socketpair(2)`, until [`Order::Go`].
    pub pause_after: Option<usize>,
    /// It runs as this user, and its directory is that user's; `None`: as the test's.
    pub user: Option<u32>,
    /// How many descriptors it may have (`RLIMIT_NOFILE`, the soft limit).
    pub descriptors: u64,
    /// The same number is the hard limit, too: the program cannot raise its own.
    pub descriptors_hard: bool,
    /// A long run: calls beyond the first two thousand are counted and not told.
    pub long: bool,
    /// Orders will follow: nobody is hung, and nobody left behind, until [`Order::Finish`].
    pub interactive: bool,
}

impl Plan {
    /// What the program is started with: its path, then its arguments.
    pub fn argv(&self) -> Vec<Vec<u8>> {
        let word = |word: &String| match self.bytes {
            true => from_characters(word),
            false => word.clone().into_bytes(),
        };
        self.command.iter().map(word).collect()
    }

    /// Without a witness that stops the program, its outcome would be another.
    pub fn needs_witness(&self) -> bool {
        let orders_exits = self.hold_exits.as_ref().is_some_and(|order| !order.is_empty());
        let holds =
            orders_exits || self.hold_signal.is_some() || self.hold_call.is_some() || self.first.is_some();
        holds
            || self.pause_after.is_some()
            || self.signal_watched != 0
            || self.exit_code.is_some()
            || !self.faults.is_empty()
    }

    /// What is special about this run, in words; empty for a plain one.
    pub fn given(&self) -> String {
        let fault = |fault: &Fault| {
            let family = format!("{:?}", fault.family).to_lowercase();
            match Errno::from_raw(fault.errno) {
                Errno::EINTR => format!(
                    "the {} {family} is interrupted by a signal (EINTR)",
                    nth(fault.nth)
                ),
                errno => format!("the {} {family} fails ({errno:?})", nth(fault.nth)),
            }
        };
        let mut all: Vec<String> = self.faults.iter().map(fault).collect();
        match self.stdout {
            Stdout::Read => {}
            Stdout::ReaderGone => all.push("nobody reads its output".to_owned()),
            Stdout::Full => all.push("its output goes to a full disk".to_owned()),
        }
        if !self.terminal.is_empty() {
            all.push("it runs on a terminal".to_owned());
        }
        if let Some(HoldSignal { who, signal }) = &self.hold_signal {
            let name = crate::signal_name(*signal);
            all.push(format!(
                "{who} gets the first {name} when all its children have ended"
            ));
        }
        if let Some(order @ [_, _, ..]) = self.hold_exits.as_deref() {
            all.push(format!("the processes end in the order {}", order.join(", ")));
        }
        if let Some(HoldCall { who, family, nth: n }) = &self.hold_call {
            let family = format!("{family:?}").to_lowercase();
            all.push(format!("after its {} {family} {who} is slow", nth(*n)));
        }
        if let Some(ExitCode { who, code }) = &self.exit_code {
            all.push(format!(
                "{who} exits with {code}, whatever it was told to exit with"
            ));
        }
        if let (Some(file), true) = (&self.watch, self.signal_watched != 0) {
            let signal = crate::signal_name(self.signal_watched);
            all.push(format!(
                "{signal} goes to the process that {file} names as soon as main has ended"
            ));
        }
        if let Some(first) = &self.first {
            all.push(format!("{first} is always faster than the others"));
        }
        if let Some(n) = self.pause_after {
            all.push(format!(
                "it is stopped behind its {} call, from its first socket on",
                nth(n)
            ));
        }
        if let Some(user) = self.user {
            all.push(format!("it runs as user {user}"));
        }
        all.join(", and ")
    }
}

/// Any bytes as text, a character for each (Latin-1): JSON carries nothing else.
pub fn as_characters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The way back.
pub fn from_characters(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect()
}

/// The ordinal of a number: `first`, `4th`, `21st`.
fn nth(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    match n {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n => format!("{n}{ending}"),
    }
}

/// Where the program's standard output goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, SerJson, DeJson)]
pub enum Stdout {
    /// Into a pipe that the witness reads.
    Read,
    /// Into a pipe whose reader has gone: a write gets `SIGPIPE`, or `EPIPE`.
    ReaderGone,
    /// To `/dev/full`: a write fails with `ENOSPC` (`full(4)`).
    Full,
}

/// The `nth` call of a family, counted from 1 over all processes of the run, fails with `errno` and is not made.
/// Calls that do not block are not counted for `EINTR`, since no signal can interrupt them, nor where the family is `Poll`.
#[derive(Clone, Debug, SerJson, DeJson)]
pub struct Fault {
    /// Which calls count.
    pub family: Family,
    /// Which of them, from 1.
    pub nth: usize,
    /// With what it fails.
    pub errno: i32,
}

/// The first delivery of `signal` to `who` is held until all children of `who` have ended.
#[derive(Clone, Debug, SerJson, DeJson)]
pub struct HoldSignal {
    /// The process, by name.
    pub who: String,
    /// The signal's number.
    pub signal: i32,
}

/// The return of the `nth` call of a family by `who` is held until all others sleep or have ended.
#[derive(Clone, Debug, SerJson, DeJson)]
pub struct HoldCall {
    /// The process, by name.
    pub who: String,
    /// Which calls count.
    pub family: Family,
    /// Which of them, from 1.
    pub nth: usize,
}

/// When process `who` exits, it does so with this code: what it passes to `exit_group(2)` is replaced.
#[derive(Clone, Debug, SerJson, DeJson)]
pub struct ExitCode {
    /// The process, by name.
    pub who: String,
    /// The code, 0 to 255.
    pub code: i32,
}

/// What the test orders while the program runs.
#[derive(Clone, Debug, SerJson, DeJson)]
pub enum Order {
    /// Answer with the story so far when everybody sleeps, or nobody is left.
    Quiet,
    /// Answer when everybody sleeps, or nobody is left.
    Settle,
    /// As [`Order::Settle`], with what went over each socket so far.
    Traffic,
    /// Let main go on that was stopped by [`Plan::pause_after`].
    Go,
    /// Send this signal to the process of this name.
    Signal(String, i32),
    /// Write to its standard input.
    Input(Vec<u8>),
    /// Close its standard input.
    Close,
    /// Run the program with these arguments; see [`Plan::quick`].
    Command(Vec<String>),
    /// No order follows: let the run come to its end, and tell the story.
    Finish,
}
