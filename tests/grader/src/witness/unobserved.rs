//! The run where `ptrace` is refused: what can be seen from outside. Outputs, the exit status, who is left behind; no
//! events. The check says of everything else "not checked".

use super::{Answer, blank, channel::Channel, proc, tracer::kill};
use crate::{
    plan::{Order, Plan},
    story::{End, Ending, MAIN, Process, Story},
};
use nix::{
    errno::Errno,
    libc,
    sys::wait::{Id, WaitPidFlag, waitid, waitpid},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    io,
    time::{Duration, Instant},
};

const LOOK: Duration = Duration::from_millis(2);
const GRACE: Duration = Duration::from_millis(300);

/// Follows a program that runs free, to its end or to a limit.
pub fn run(mut plan: Plan, program: Pid, reason: String, channel: &mut Channel) -> io::Result<Story> {
    let mut story = blank(&plan, End::Over);
    story.unobserved = Some(reason);
    story.processes.push(Process {
        name: "main".to_owned(),
        pid: program.as_raw(),
        parent: None,
        born: 0,
    });
    go_first();
    let (started_at, mut main_ended, mut asked) = (Instant::now(), None, None);
    loop {
        let woken = channel.wait(LOOK)?;
        let nobody_left = reap(program, &mut story, &mut main_ended);
        if nobody_left {
            return Ok(told(story, channel));
        }
        for order in woken.orders {
            match order {
                Order::Quiet | Order::Settle | Order::Traffic => asked = Some(order),
                Order::Go | Order::Command(_) => {}
                Order::Finish => plan.interactive = false,
                Order::Input(bytes) => channel.send(&bytes),
                Order::Close => channel.close_input(),
                Order::Signal(name, signal) => {
                    let orphan = proc::descendants(story.witness).into_iter().next();
                    let pid = if name == story.processes[MAIN].name {
                        Some(program.as_raw())
                    } else {
                        orphan
                    };
                    pid.into_iter().for_each(|pid| kill(pid, signal));
                }
            }
        }
        if woken.abandoned {
            return Ok(kill_all(told(story, channel), End::Stopped));
        }
        if asked.is_some() && all_asleep(story.witness) {
            let answer = match asked.take() {
                Some(Order::Quiet) => Answer::Quiet(told(story.clone(), channel)),
                Some(Order::Traffic) => Answer::Traffic(Vec::new()),
                _ => Answer::Settled,
            };
            channel.answer(&answer);
        }
        let alive = proc::descendants(story.witness).len();
        let too_much = channel.streams.iter().find(|stream| stream.overflows());
        let end = if alive > plan.processes {
            End::TooMany(alive)
        } else if let Some(stream) = too_much {
            End::TooMuch(stream.total)
        } else if started_at.elapsed().as_secs() >= plan.seconds {
            End::TimeLimit {
                seconds: plan.seconds,
                slow: false,
            }
        } else if !plan.interactive && main_ended.is_some_and(|at: Instant| at.elapsed() > GRACE) {
            End::LeftBehind(vec!["a process".to_owned(); alive])
        } else {
            continue;
        };
        return Ok(kill_all(told(story, channel), end));
    }
}

/// A fork bomb's processes are many and the witness is one: where it may, it goes before all others on their processor,
/// which is its own. What it forks does not inherit that. (A user who may not is held by the limit that [`super::start`]
/// sets.)
fn go_first() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: `priority` outlives the call.
    unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const priority,
        )
    };
}

/// Reaps who is there to be reaped; `true` when there is no child left.
fn reap(program: Pid, story: &mut Story, main_ended: &mut Option<Instant>) -> bool {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the wait status.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) } {
            0 => return false,
            pid if pid < 0 => return true,
            pid if pid == program.as_raw() => {
                story.status = Some(match status {
                    _ if libc::WIFEXITED(status) => Ending::Exited(libc::WEXITSTATUS(status)),
                    _ => Ending::Killed(libc::WTERMSIG(status)),
                });
                *main_ended = Some(Instant::now());
            }
            _ => {}
        }
    }
}

fn told(mut story: Story, channel: &mut Channel) -> Story {
    channel.drain();
    if let [stdout, stderr] = &channel.streams[..] {
        story.stdout.clone_from(&stdout.bytes);
        story.stderr.clone_from(&stderr.bytes);
    }
    story
}

fn all_asleep(witness: i32) -> bool {
    let look = || {
        let all = proc::descendants(witness).into_iter().map(proc::Status::read);
        let asleep = all.map(|status| {
            status
                .filter(|s| matches!(s.state, 'S' | 'Z' | 'T'))
                .map(|s| s.switches)
        });
        asleep.collect::<Option<Vec<u64>>>()
    };
    let before = look();
    before.is_some() && before == look()
}

/// Stops everybody first, so that no fork outruns the kills; then kills until nobody is left.
fn kill_all(mut story: Story, end: End) -> Story {
    story.end = end;
    let mut all = BTreeSet::new();
    loop {
        let before = all.len();
        stop_all(story.witness, &mut all);
        if all.len() == before {
            all.iter().for_each(|&pid| kill(pid, libc::SIGKILL));
            bury(story.witness, &mut all);
            if has_no_child() {
                return story;
            }
        }
    }
}

/// Waits for those who were killed: first for the witness's own children, then for those who come to it when their
/// parents have gone. Of anybody else, who was born meanwhile, no end is waited for: he is stopped in the next round.
fn bury(witness: i32, killed: &mut BTreeSet<i32>) {
    loop {
        let children = proc::children(witness).into_iter();
        let dying: Vec<i32> = children.filter(|pid| killed.remove(pid)).collect();
        if dying.is_empty() {
            return killed.clear();
        }
        for pid in dying {
            // How it ended is nobody's business any more.
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::__WALL));
        }
    }
}

fn has_no_child() -> bool {
    let only_ask = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::__WALL;
    waitid(Id::All, only_ask) == Err(Errno::ECHILD)
}

/// From the top down: who is stopped before its children are looked for makes no more of them.
fn stop_all(parent: i32, stopped: &mut BTreeSet<i32>) {
    for child in proc::children(parent) {
        kill(child, libc::SIGSTOP);
        stopped.insert(child);
        stop_all(child, stopped);
    }
}
