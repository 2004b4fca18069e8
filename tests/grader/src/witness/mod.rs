//! The witness: a process of its own that is ptracer, child subreaper, limiter and killer of one run.
//!
//! It must not live in the test's threads: `waitpid(-1)` there would steal the children of `std::process`. So the test
//! binary starts itself again, once, as a [`nursery`], which forks a witness for each run. The test tells it the [`Plan`]
//! on standard input, and reads the [`Story`] from its standard output. When that input ends, the test is gone:
//! everything is killed and removed.
//!
//! What it relies on, all of it in `ptrace(2)`, `prctl(2)` (`PR_SET_CHILD_SUBREAPER`) and `wait(2)`:
//! - The real parent of a traced process hears of its end only once the tracer has taken the exit report. So nobody can
//!   reap what the witness has not seen end.
//! - A tracer that is also the subreaper gets a *second* report for a process exactly when its parent ended without
//!   having reaped it.
//! - A new process of a traced one starts stopped, so that no fork outruns the killer.

mod arch;
mod channel;
mod entry;
mod filter;
mod memory;
pub mod nursery;
mod outside;
mod proc;
mod quiet;
mod start;
mod tracer;
mod unobserved;

use crate::{
    plan::{Order, Plan, as_characters},
    story::{End, Ending, Story, Traffic},
};
use channel::Channel;
use nanoserde::{DeJson, SerJson};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::prctl,
};
pub(crate) use outside::look;
use start::Started;
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::ExitCode,
};
use tracer::Tracer;
pub(crate) use tracer::small_file;

/// What the witness answers, a line of JSON each.
#[derive(SerJson, DeJson)]
pub enum Answer {
    /// The run goes on; what happened so far. To [`Order::Quiet`], when everybody sleeps.
    Quiet(Story),
    /// The run goes on, and everybody sleeps. To [`Order::Settle`].
    Settled,
    /// The same, to [`Order::Traffic`].
    Traffic(Vec<Traffic>),
    /// The run is over.
    Over(Story),
    /// What came of a run of which no story is wanted; `None` when it did not come to its end by itself.
    Ran(Option<Ran>),
}

/// All that is known of a run that nobody watched. Bytes are told as characters.
#[derive(SerJson, DeJson)]
pub struct Ran {
    /// How main ended.
    pub status: Option<Ending>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// The body of a witness, the nursery's `turn`-th; returns when the run is over and its traces are removed.
fn witness(turn: usize) -> ExitCode {
    match run(turn) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("witness: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(turn: usize) -> io::Result<()> {
    // Out of the terminal's reach: its Ctrl-C is for the test, and the witness follows when the test is gone.
    nix::unistd::setsid()?;
    prctl::set_child_subreaper(true)?;
    let mut channel = Channel::open()?;
    let Some(plan) = channel.plan()? else {
        return Ok(());
    };
    stay_on_one_processor(turn);
    let scratch = tempfile::Builder::new().prefix("forkroom-").tempdir()?;
    let done = run_in(scratch.path(), plan, &mut channel);
    let path = scratch.path().to_owned();
    scratch.close().or_else(|_| {
        let_in(&path);
        fs::remove_dir_all(&path)
    })?;
    done
}

/// A program may leave directories that let nobody in: then nobody but root can remove what is in them. Links are not
/// followed.
fn let_in(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| let_in(&entry.path()));
    }
}

fn run_in(scratch: &Path, mut plan: Plan, channel: &mut Channel) -> io::Result<()> {
    if plan.directory.is_empty() {
        plan.directory = scratch.to_string_lossy().into_owned();
    }
    for (name, contents) in plan.files.iter().chain(&plan.programs) {
        fs::write(Path::new(&plan.directory).join(name), contents)?;
    }
    for (name, _) in &plan.programs {
        let everybody = Permissions::from_mode(0o755);
        fs::set_permissions(Path::new(&plan.directory).join(name), everybody)?;
    }
    if let Some(user) = plan.user {
        std::os::unix::fs::chown(&plan.directory, Some(user), Some(user))?;
    }
    if plan.quick {
        return run_quickly(plan, channel);
    }
    let story = observe(plan, channel)?;
    channel.answer(&Answer::Over(story));
    channel.until_closed(); // the check may look at the directory until then
    Ok(())
}

/// One run after the other, each of them contained as any other is, until no order comes any more.
fn run_quickly(mut plan: Plan, channel: &mut Channel) -> io::Result<()> {
    start::prepare_to_spawn(&plan)?;
    std::env::set_current_dir(&plan.directory)?;
    let (program, environment) = (plan.command.clone(), start::kept_environment());
    while let Some(order) = channel.order()? {
        if let Order::Command(args) = order {
            plan.command = [&program[..], &args].concat();
            let ran = match start::spawn(&plan, &environment, channel) {
                Ok(started) => ran(unobserved::run(plan.clone(), started, String::new(), channel)?),
                Err(_) => None,
            };
            channel.answer(&Answer::Ran(ran));
        }
    }
    Ok(())
}

/// What is told of a run; nothing of one that did not come to its end by itself.
fn ran(story: Story) -> Option<Ran> {
    (story.end == End::Over).then(|| Ran {
        status: story.status,
        stdout: as_characters(&story.stdout),
        stderr: as_characters(&story.stderr),
    })
}

/// The witness and the program take turns, hundreds of times a run; on one processor a turn costs a tenth of what it
/// costs between two (2.5 µs against 68 were measured for a pipe, Linux 6.18 on a virtual machine of 2 processors). Runs
/// take turns with the processors. Where it is not allowed nothing is lost but time.
fn stay_on_one_processor(turn: usize) {
    let me = nix::unistd::getpid();
    let Ok(allowed) = sched_getaffinity(me) else {
        return;
    };
    let processors: Vec<usize> = (0..CpuSet::count())
        .filter(|&cpu| allowed.is_set(cpu).unwrap_or(false))
        .collect();
    let mut one = CpuSet::new();
    if let Some(&cpu) = processors.get(turn % processors.len().max(1))
        && one.set(cpu).is_ok()
    {
        let _ = sched_setaffinity(me, &one);
    }
}

fn observe(plan: Plan, channel: &mut Channel) -> io::Result<Story> {
    let mut unobserved = None;
    loop {
        match start::start(&plan, channel, unobserved.take())? {
            Started::Unobserved(program, reason) => return unobserved::run(plan, program, reason, channel),
            Started::Not(reason) => return Ok(blank(&plan, End::NotStarted(reason))),
            Started::Observed(program, failure) => {
                let story = Tracer::new(plan.clone(), program, failure, channel).run(channel)?;
                match story.end {
                    // A kernel or a container without seccomp filters: run once more, and look on from outside.
                    End::NotStarted(reason) if reason.starts_with("seccomp") => unobserved = Some(reason),
                    _ => return Ok(story),
                }
            }
        }
    }
}

/// The story of a run in which nothing has happened yet.
pub(crate) fn blank(plan: &Plan, end: End) -> Story {
    Story {
        command: plan.command.clone(),
        given: plan.given(),
        processes: Vec::new(),
        events: Vec::new(),
        asleep: Vec::new(),
        paused: None,
        stdout: Vec::new(),
        stderr: Vec::new(),
        untold: 0,
        traffic: Vec::new(),
        end,
        status: None,
        input_flags: None,
        watched: None,
        unobserved: None,
        witness: nix::unistd::getpid().as_raw(),
        directory: plan.directory.clone(),
    }
}
