//! Right for step 5 (status). Replaces src/status.rs.
//! The three ways apart, the conversation with the stopped child in a straight line, and a byte through the
//! pipe as its leave to exit.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, raise, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, pipe2, read, write};

use crate::spawn::spawn;
use crate::{Error, Named, Result, say};

pub enum How {
    Exit(u8),
    Kill(Signal),
    Stop,
}

pub fn run(how: How) -> Result {
    let end = match how {
        How::Exit(code) => wait(spawn(|| code.into())?, WaitPidFlag::WEXITED),
        How::Kill(signal) => wait(spawn(|| code(die_of(signal)))?, WaitPidFlag::WEXITED),
        How::Stop => stop_and_go(),
    };
    match end? {
        WaitStatus::Exited(_, code) => say(format_args!("exited {code}")),
        WaitStatus::Signaled(_, signal, _) => say(format_args!("killed by {}", signal.as_str())),
        other => Err(Error::Child(other)),
    }
}

fn code(done: Result) -> i32 {
    done.map_or_else(|error| error.tell().into(), |()| 0)
}

fn die_of(signal: Signal) -> Result {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).named("setrlimit")?;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    if signal != Signal::SIGKILL {
        // SAFETY: the default action is no handler, so no code of this program runs inside a signal.
        unsafe { sigaction(signal, &default) }.named("sigaction")?;
    }
    SigSet::empty().thread_set_mask().named("sigprocmask")?;
    raise(signal).named("raise")
}

fn stop_and_go() -> Result<WaitStatus> {
    let (from_parent, to_child) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    let child = spawn(|| code(stop(&from_parent)))?;
    converse(child, to_child).inspect_err(|_| {
        let _ = kill(child, Signal::SIGKILL);
    })?;
    wait(child, WaitPidFlag::WEXITED)
}

fn stop(from_parent: &OwnedFd) -> Result {
    set_pdeathsig(Signal::SIGKILL).named("prctl")?;
    raise(Signal::SIGSTOP).named("raise")?;
    loop {
        match read(from_parent, &mut [0]) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop).named("read"),
        }
    }
}

fn converse(child: Pid, to_child: OwnedFd) -> Result {
    let stop = wait(child, WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED)?;
    let WaitStatus::Stopped(_, signal) = stop else {
        return Err(Error::Child(stop));
    };
    say(format_args!("stopped by {}", signal.as_str()))?;
    kill(child, Signal::SIGCONT).named("kill")?;
    let go = wait(child, WaitPidFlag::WEXITED | WaitPidFlag::WCONTINUED)?;
    let WaitStatus::Continued(_) = go else {
        return Err(Error::Child(go));
    };
    say("continued")?;
    loop {
        match write(&to_child, b"!") {
            Err(Errno::EINTR) => {}
            result => return result.map(drop).named("write"),
        }
    }
}

fn wait(child: Pid, flags: WaitPidFlag) -> Result<WaitStatus> {
    loop {
        match waitid(Id::Pid(child), flags) {
            Err(Errno::EINTR) => {}
            result => return result.named("waitid"),
        }
    }
}
