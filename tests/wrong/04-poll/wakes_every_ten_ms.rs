//! Refused by step 1 (models). Replaces src/models.rs.
//! Sleeps for ten milliseconds at a time, and looks at the clock in between: six thousand wake-ups a minute to find
//! out that nothing has happened.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use crate::{Error, Named, Result, retry, say};

/// An IO model: for how long a read may wait.
#[derive(Clone, Copy)]
pub enum Model {
    /// Until there is something.
    Blocking,
    /// Not at all.
    Nonblocking,
    /// So many milliseconds at most.
    Timeout(u16),
}

/// What a read has found.
pub enum Found {
    /// So many bytes.
    Bytes(usize),
    /// There is nothing, and there will be nothing more.
    EndOfInput,
    /// There is nothing now, but there may be later.
    Nothing,
}

pub fn run(model: Model) -> Result {
    match (look(model)?, model) {
        (Found::Bytes(n), _) => say(format_args!("read {n} bytes")),
        (Found::EndOfInput, _) => say("end of input"),
        (Found::Nothing, Model::Timeout(ms)) => say(format_args!("nothing within {ms} ms")),
        (Found::Nothing, _) => say("nothing yet (EAGAIN)"),
    }
}

/// Reads standard input once, in that model.
fn look(model: Model) -> Result<Found> {
    match model {
        Model::Blocking => with_nonblock(false, read_once),
        Model::Nonblocking => with_nonblock(true, read_once),
        Model::Timeout(ms) => {
            let deadline = Instant::now() + Duration::from_millis(ms.into());
            while ready_by(deadline)? {
                // Without blocking all the same: somebody else who reads here may have been faster.
                match with_nonblock(true, read_once)? {
                    Found::Nothing => {}
                    found => return Ok(found),
                }
            }
            Ok(Found::Nothing)
        }
    }
}

/// One read of standard input.
fn read_once() -> Result<Found> {
    match retry(|| read(io::stdin(), &mut [0; 4096])) {
        Ok(0) => Ok(Found::EndOfInput),
        Ok(n) => Ok(Found::Bytes(n)),
        Err(Errno::EAGAIN) => Ok(Found::Nothing),
        Err(errno) => Err(Error::Call("read", errno)),
    }
}

/// Does something with O_NONBLOCK set (or not) on standard input, and puts it back to what it was, whatever came of it.
/// The flag belongs to the open file, and so also to the shell that has the same terminal.
fn with_nonblock<T>(nonblock: bool, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = fcntl(io::stdin(), FcntlArg::F_GETFL).named("fcntl")?;
    let before = OFlag::from_bits_retain(before);
    let mut wanted = before;
    wanted.set(OFlag::O_NONBLOCK, nonblock);
    if wanted == before {
        return act();
    }
    fcntl(io::stdin(), FcntlArg::F_SETFL(wanted)).named("fcntl")?;
    let acted = act();
    let restored = fcntl(io::stdin(), FcntlArg::F_SETFL(before)).named("fcntl");
    // The first error is the one to tell.
    let acted = acted?;
    restored.map(|_| acted)
}

/// Sleeps until standard input has something to read (the end of input, too, can be read); false: not by then.
fn ready_by(deadline: Instant) -> Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    // Asked for anew in each round: a signal must not start the time again.
    while Instant::now() < deadline {
        if retry(|| poll(&mut fds, 10u8)).named("poll")? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The time that is left, in whole milliseconds, rounded up: rounded down it would end with a busy wait.
fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
