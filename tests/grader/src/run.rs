//! The test's side of a run: orders it, talks with the witness while it lasts, and gets the story.

use crate::{
    calls::Family,
    plan::{ExitCode, Fault, HoldCall, HoldSignal, Order, Plan, Stdout},
    story::{Story, Traffic},
    verdict::{Refusal, Verdict},
    witness::{self, Answer, Ran},
};
use nanoserde::{DeJson, SerJson};
use nix::{
    errno::Errno,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
        socket::{AddressFamily, SockFlag, SockType, socketpair},
    },
};
use std::{
    io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write},
    ops::Deref,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock, Weak},
};

/// This in the environment makes a test binary the witness.
pub const WITNESS: &str = "FORKROOM_WITNESS";

/// A run to be: the command, and what the witness is to do. Built by [`crate::Lab::command`].
#[derive(Clone)]
pub struct Run {
    pub(crate) plan: Plan,
}

impl Run {
    /// Runs `program` with `args`, with nothing on its standard input, in a directory of its own.
    pub fn new(program: &Path, args: &[&str]) -> Self {
        let program = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        let program = program.to_string_lossy().into_owned();
        Self {
            plan: Plan {
                command: std::iter::once(program)
                    .chain(args.iter().map(|&arg| arg.to_owned()))
                    .collect(),
                bytes: false,
                quick: false,
                env: Vec::new(),
                directory: String::new(),
                files: Vec::new(),
                programs: Vec::new(),
                input: None,
                stdout: Stdout::Read,
                terminal: String::new(),
                faults: Vec::new(),
                hold_exits: None,
                hold_signal: None,
                hold_call: None,
                pause_after: None,
                user: None,
                exit_code: None,
                first: None,
                watch: None,
                signal_watched: 0,
                processes: 64 + 1,
                output: 256 * 1024,
                descriptors: descriptors(),
                descriptors_hard: false,
                long: false,
                seconds: 30,
                interactive: false,
            },
        }
    }

    /// The `nth` call of this family (from 1, over the whole run) fails with `errno` and is not made.
    pub fn fail(mut self, family: Family, nth: usize, errno: Errno) -> Self {
        self.plan.faults.push(Fault {
            family,
            nth,
            errno: errno as i32,
        });
        self
    }

    /// The `nth` call of this family that may sleep is interrupted by a signal: `EINTR`.
    pub fn interrupt(self, family: Family, nth: usize) -> Self {
        self.fail(family, nth, Errno::EINTR)
    }

    /// Every process is held at its exit until all others sleep; then one goes, by order of birth.
    pub fn hold_exits(self) -> Self {
        self.release(&[])
    }

    /// As [`Run::hold_exits`]; these go first, in this order.
    pub fn release(mut self, order: &[&str]) -> Self {
        self.plan.hold_exits = Some(order.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// The first delivery of `signal` to process `who` is held until all its children have ended.
    pub fn hold_signal(mut self, who: &str, signal: Signal) -> Self {
        self.plan.hold_signal = Some(HoldSignal {
            who: who.to_owned(),
            signal: signal as i32,
        });
        self
    }

    /// The return of the `nth` call of this family by process `who` is held until all others sleep or have ended.
    pub fn hold_call(mut self, who: &str, family: Family, nth: usize) -> Self {
        self.plan.hold_call = Some(HoldCall {
            who: who.to_owned(),
            family,
            nth,
        });
        self
    }

    /// Process `who` exits with `code`, whatever it was told: who knows another one does not have it from a wait.
    pub fn exit_code(mut self, who: &str, code: i32) -> Self {
        self.plan.exit_code = Some(ExitCode {
            who: who.to_owned(),
            code,
        });
        self
    }

    /// Process `who` is always faster: every other one takes a step only while `who` sleeps, and after its end. A step is
    /// what it does from one call of interest to the next.
    pub fn first(mut self, who: &str) -> Self {
        self.plan.first = Some(who.to_owned());
        self
    }

    /// This file is in its directory when it starts.
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.plan.files.push((name.to_owned(), contents.into()));
        self
    }

    /// This executable file is in its directory when it starts.
    pub fn program(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.plan.programs.push((name.to_owned(), contents.into()));
        self
    }

    /// What this file holds at main's end is told in [`Story::watched`].
    pub fn watch(mut self, name: &str) -> Self {
        self.plan.watch = Some(name.to_owned());
        self
    }

    /// As [`Run::watch`]; the process whose id the file holds then gets `signal` at that very moment.
    pub fn signal_by(mut self, name: &str, signal: Signal) -> Self {
        self.plan.signal_watched = signal as i32;
        self.watch(name)
    }

    /// These bytes are its standard input, a pipe.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.plan.input = Some(bytes.into());
        self
    }

    /// Its standard output is a pipe that nobody reads any more, as after `| head -1`.
    pub fn reader_gone(mut self) -> Self {
        self.plan.stdout = Stdout::ReaderGone;
        self
    }

    /// Its standard output is a full disk: `/dev/full`.
    pub fn disk_full(mut self) -> Self {
        self.plan.stdout = Stdout::Full;
        self
    }

    /// Sets a variable in its environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.plan.env.retain(|(set, _)| set != key);
        self.plan.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// It runs in this directory, which is not removed afterwards.
    pub fn directory(mut self, path: &Path) -> Self {
        self.plan.directory = path.to_string_lossy().into_owned();
        self
    }

    /// `more` processes may live at once, over and above the 64 that are always allowed and the program itself.
    pub fn processes(mut self, more: usize) -> Self {
        self.plan.processes = 64 + 1 + more;
        self
    }

    /// Each output stream may carry that many bytes (by default 256 KiB).
    pub fn output(mut self, bytes: usize) -> Self {
        self.plan.output = bytes;
        self
    }

    /// Main is stopped behind its `nth` call of interest, counted from its first `socket(2)` or `socketpair(2)`, until the
    /// test says [`Running::go`]. Meanwhile it is quiet, and [`Story::paused`] tells where it stands.
    pub fn pause_after(mut self, nth: usize) -> Self {
        self.plan.pause_after = Some(nth);
        self
    }

    /// It runs as this user, with the group of the same number and no other; its directory belongs to that user. Only root
    /// may order that.
    pub fn user(mut self, user: u32) -> Self {
        self.plan.user = Some(user);
        self
    }

    /// It may have no more than that many descriptors (`RLIMIT_NOFILE`; by default as many as the test's user).
    pub fn descriptors(mut self, most: u64) -> Self {
        self.plan.descriptors = most;
        self
    }

    /// As [`Run::descriptors`], and it cannot help itself: the hard limit is no higher.
    pub fn descriptors_in_all(mut self, most: u64) -> Self {
        self.plan.descriptors_hard = true;
        self.descriptors(most)
    }

    /// A run of many calls: those beyond the first two thousand are counted and not told.
    pub fn long(mut self) -> Self {
        self.plan.long = true;
        self
    }

    /// The last resort against a run that does not end, in seconds (by default 30).
    pub fn seconds(mut self, seconds: u64) -> Self {
        self.plan.seconds = seconds;
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Refusal::Undone`] when it reached a `todo!`; [`Refusal::Broken`] when there was no witness to be had.
    pub fn run(self) -> Verdict<Told> {
        Running::start(self.plan).map_err(broken)?.told()
    }

    /// Starts it, and lets the test act while it runs.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when there was no witness to be had.
    pub fn start(mut self) -> Verdict<Running> {
        self.plan.interactive = true;
        Running::start(self.plan).map_err(broken)
    }
}

/// How many descriptors a program may have: the soft limit with which this test was started. The test itself raises its
/// own, once: it holds the peers of several servers at the same time.
fn descriptors() -> u64 {
    static AT_START: OnceLock<u64> = OnceLock::new();
    *AT_START.get_or_init(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536).max(soft), hard);
        soft
    })
}

pub(crate) fn broken(error: io::Error) -> Refusal {
    Refusal::Broken(format!(
        "the witness could not do its work: {error}; `cargo lab doctor` tells what this machine offers"
    ))
}

/// The witness of one run. When it is dropped the witness sees its input end: it kills what is left of the run, removes
/// its directory, and ends.
struct Witness {
    orders: Arc<Orders>,
    answers: BufReader<PipeReader>,
}

/// The pipe to a witness; the witness ends when it is closed.
type Orders = Mutex<Option<PipeWriter>>;

/// The pipes to all witnesses at work; `None` when no more are wanted.
static AT_WORK: Mutex<Option<Vec<Weak<Orders>>>> = Mutex::new(Some(Vec::new()));

/// Ends every run that goes on, and lets none begin: their checks fail, and nobody will ask for those.
pub(crate) fn call_off() {
    let all = AT_WORK.lock().map(|mut all| all.take()).unwrap_or_default();
    for orders in all.iter().flatten().filter_map(Weak::upgrade) {
        if let Ok(mut orders) = orders.lock() {
            *orders = None;
        }
    }
}

/// The test's end of the nursery's socket.
static NURSERY: OnceLock<Result<OwnedFd, String>> = OnceLock::new();

/// Starts this test binary again, as the nursery.
fn nursery() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .env(WITNESS, "1")
        .stdin(theirs)
        .stdout(Stdio::null())
        .spawn()?;
    Ok(ours)
}

impl Witness {
    fn start() -> io::Result<Self> {
        let nursery = NURSERY.get_or_init(|| nursery().map_err(|error| error.to_string()));
        let nursery = nursery
            .as_ref()
            .map_err(|error| io::Error::other(error.clone()))?;
        let ((their_orders, orders), (answers, their_answers)) = (io::pipe()?, io::pipe()?);
        let orders = Arc::new(Mutex::new(Some(orders)));
        let mut at_work = AT_WORK.lock().map_err(|_| io::ErrorKind::Other)?;
        let at_work = at_work
            .as_mut()
            .ok_or_else(|| io::Error::other("all runs are called off"))?;
        at_work.retain(|orders| orders.strong_count() > 0);
        at_work.push(Arc::downgrade(&orders));
        witness::nursery::ask(nursery, &their_orders.into(), &their_answers.into())?;
        Ok(Self {
            orders,
            answers: BufReader::new(answers),
        })
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        let mut orders = self.orders.lock().map_err(|_| io::ErrorKind::Other)?;
        let orders = orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        orders.write_all(line.as_bytes())?;
        orders.write_all(b"\n")
    }

    fn answer(&mut self) -> io::Result<Answer> {
        // A story is big while it is text and value: one at a time, so that the test stays small.
        static ONE: Mutex<()> = Mutex::new(());
        self.answers.fill_buf()?;
        let _one = ONE.lock();
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(io::Error::other("it ended without an answer"));
        }
        Answer::deserialize_json(&line).map_err(io::Error::other)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Ok(mut orders) = self.orders.lock() {
            *orders = None;
        }
        let _ = io::copy(&mut self.answers, &mut io::sink()); // it has ended when its last answer has
    }
}

/// A witness that runs a program again and again, and tells what it printed and how it ended.
pub(crate) struct Quick(Witness);

impl Quick {
    pub(crate) fn start(plan: &Plan) -> io::Result<Self> {
        let mut witness = Witness::start()?;
        witness.send(&plan.serialize_json())?;
        Ok(Self(witness))
    }

    /// `None` when the run had to be ended.
    pub(crate) fn run(&mut self, command: Vec<String>) -> io::Result<Option<Ran>> {
        self.0.send(&Order::Command(command).serialize_json())?;
        match self.0.answer()? {
            Answer::Ran(ran) => Ok(ran),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A run that goes on.
pub struct Running {
    witness: Witness,
    needs_witness: bool,
    over: Option<Story>,
}

impl Running {
    fn start(plan: Plan) -> io::Result<Self> {
        let mut witness = Witness::start()?;
        witness.send(&plan.serialize_json())?;
        Ok(Self {
            witness,
            needs_witness: plan.needs_witness(),
            over: None,
        })
    }

    /// Waits until every process sleeps in the kernel, or none is left, and tells what happened so far.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn until_quiet(&mut self) -> Verdict<Story> {
        let story = match &self.over {
            Some(story) => story.clone(),
            None => {
                self.order(&Order::Quiet)?;
                match self.witness.answer().map_err(broken)? {
                    Answer::Quiet(story) => story,
                    Answer::Over(story) => self.over.insert(story).clone(),
                    Answer::Settled | Answer::Traffic(_) | Answer::Ran(_) => {
                        return Err(broken(io::ErrorKind::InvalidData.into()));
                    }
                }
            }
        };
        self.checked(&story)?;
        Ok(story)
    }

    /// As [`Running::until_quiet`], without the story; `false` when the run is over.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn settle(&mut self) -> Verdict<bool> {
        if self.over.is_none() {
            self.order(&Order::Settle)?;
            if let Answer::Over(story) = self.witness.answer().map_err(broken)? {
                self.over = Some(story);
            }
        }
        match &self.over {
            Some(story) => self.checked(story).map(|()| false),
            None => Ok(true),
        }
    }

    /// Waits as [`Running::settle`]; what went over each socket so far. Empty when the run is over, or not observed.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn traffic(&mut self) -> Verdict<Vec<Traffic>> {
        if self.settle()? {
            self.order(&Order::Traffic)?;
            match self.witness.answer().map_err(broken)? {
                Answer::Traffic(traffic) => return Ok(traffic),
                Answer::Over(story) => self.over = Some(story),
                Answer::Quiet(_) | Answer::Settled | Answer::Ran(_) => {}
            }
        }
        Ok(Vec::new())
    }

    /// The story is one of a program that was done, under the conditions that the check had ordered.
    fn checked(&self, story: &Story) -> Verdict {
        if let Some((step, place)) = undone(&story.stderr()) {
            let ran = story.ran();
            return Err(Refusal::Undone { step, place, ran });
        }
        if self.needs_witness {
            story.observed()
        } else {
            Ok(())
        }
    }

    /// Sends a signal to the process of this name; one that has ended is left alone.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when the witness is gone.
    pub fn signal(&mut self, name: &str, signal: Signal) -> Verdict {
        self.order(&Order::Signal(name.to_owned(), signal as i32))
    }

    /// Lets main go on that was stopped by [`Run::pause_after`].
    ///
    /// # Errors
    /// [`Refusal::Broken`] when the witness is gone.
    pub fn go(&mut self) -> Verdict {
        self.order(&Order::Go)
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when the witness is gone.
    pub fn input(&mut self, bytes: &[u8]) -> Verdict {
        self.order(&Order::Input(bytes.to_vec()))
    }

    /// Closes its standard input.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when the witness is gone.
    pub fn close_input(&mut self) -> Verdict {
        self.order(&Order::Close)
    }

    /// Lets the run come to its end.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn finish(mut self) -> Verdict<Told> {
        self.order(&Order::Finish)?;
        self.told()
    }

    fn order(&mut self, order: &Order) -> Verdict {
        match self.witness.send(&order.serialize_json()) {
            // A witness that has told the end listens no more.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(broken(error)),
            _ => Ok(()),
        }
    }

    fn told(mut self) -> Verdict<Told> {
        let story = loop {
            match self.over.take() {
                Some(story) => break story,
                None => match self.witness.answer().map_err(broken)? {
                    Answer::Over(story) => break story,
                    Answer::Quiet(_) | Answer::Settled | Answer::Traffic(_) | Answer::Ran(_) => {}
                },
            }
        };
        self.checked(&story)?;
        Ok(Told {
            story,
            _witness: self.witness,
        })
    }
}

/// A finished run. Its directory lasts as long as this value.
pub struct Told {
    story: Story,
    _witness: Witness,
}

impl Told {
    /// A file in the directory of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.story.directory).join(name)
    }
}

impl Deref for Told {
    type Target = Story;

    fn deref(&self) -> &Story {
        &self.story
    }
}

/// Finds the panic of a `todo!("step N: …")` in a program's standard error: the step, and the place of the gap.
pub(crate) fn undone(stderr: &str) -> Option<(usize, String)> {
    let (before, after) = stderr.split_once("not yet implemented: step ")?;
    let step = after.split(':').next()?.trim().parse().ok()?;
    let place = before
        .rsplit_once("panicked at ")
        .map_or("", |(_, place)| place.trim().trim_end_matches(':'));
    let line = place.rsplit_once(':').map_or(place, |(line, _column)| line);
    Some((step, line.to_owned()))
}
