//! Right for step 6 (daemon). Replaces src/daemon.rs.
//! The daemon opens and locks its pid file itself, since a lock of `fcntl` belongs to a process and is not inherited;
//! what went wrong travels to the caller as text; `SIGTERM` has a handler and is awaited by `sigsuspend`.

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{self, PipeWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, getpid, setsid};

use crate::{Error, Named, Result, leave, reap, retry};

static TERMINATED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_sigterm(_signal: c_int) {
    TERMINATED.store(true, Ordering::Relaxed);
}

pub fn run(path: &Path) -> Result {
    let path = std::path::absolute(path).named("getcwd")?;
    let (mut news, daemons_end) = io::pipe().named("pipe")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    let middle = match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(news);
            leave(middle(&path, daemons_end))
        }
        ForkResult::Parent { child } => child,
    };
    drop(daemons_end);
    let mut text = String::new();
    let read = news.read_to_string(&mut text).named("read");
    reap(middle)?;
    read?;
    match text.split_once(' ') {
        Some(("ready", _)) => Ok(()),
        Some((errno, call)) => Err(failure(errno, call)),
        None => Err(Error::Child),
    }
}

/// The error that the daemon wrote as `ERRNO CALL`.
fn failure(errno: &str, call: &str) -> Error {
    // The name lives as long as an error's name must: it is leaked, and the program is about to end.
    let call: &'static str = call.to_owned().leak();
    Error::Call(call, errno.parse().map_or(Errno::EIO, Errno::from_raw))
}

fn middle(path: &Path, news: PipeWriter) -> Result {
    // What goes wrong from here on is told by the caller: the pipe's other end must not kill its writer.
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.named("signal")?;
    setsid().named("setsid")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    if let ForkResult::Child = unsafe { fork() }.named("fork")? {
        leave(daemon(path, news))
    }
    Ok(())
}

fn daemon(path: &Path, mut news: PipeWriter) -> Result {
    let (awake, null, file) = match start(path) {
        Ok(started) => started,
        Err(Error::Call(call, errno)) => {
            let _ = write!(news, "{} {call}", errno as i32);
            return Err(Error::Child);
        }
        Err(error) => return Err(error),
    };
    let told = tell(&mut news).and_then(|()| leave_streams(null));
    drop(news);
    while told.is_ok() && !TERMINATED.load(Ordering::Relaxed) {
        awake.suspend().named("sigsuspend")?;
    }
    remove(&file, path)?;
    told
}

/// Becomes the daemon that the pid file names. Returns the mask to sleep with, what the streams are to be, and the locked file.
fn start(path: &Path) -> Result<(SigSet, File, File)> {
    let (awake, null) = become_daemon()?;
    let file = take(path)?;
    if let Err(error) = publish(&file) {
        let _ = remove(&file, path);
        return Err(error);
    }
    Ok((awake, null, file))
}

/// Everything but the pid file and the streams.
fn become_daemon() -> Result<(SigSet, File)> {
    let action = SigAction::new(SigHandler::Handler(on_sigterm), SaFlags::empty(), SigSet::empty());
    SigSet::from(Signal::SIGTERM)
        .thread_block()
        .named("sigprocmask")?;
    // SAFETY: the handler sets an atomic flag, which is async-signal-safe.
    unsafe { sigaction(Signal::SIGTERM, &action) }.named("sigaction")?;
    let mut awake = SigSet::thread_get_mask().named("sigprocmask")?;
    awake.remove(Signal::SIGTERM);
    chdir("/").named("chdir")?;
    umask(Mode::from_bits_truncate(0o022));
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .named("open")?;
    Ok((awake, null))
}

/// When the caller has been told: until then standard error is there for what could not be.
fn leave_streams(null: File) -> Result {
    dup2_stdin(&null)
        .and(dup2_stdout(&null))
        .and(dup2_stderr(&null))
        .named("dup2")
}

/// Opens and locks the pid file. Until the lock is held, nothing of it may be touched.
fn take(path: &Path) -> Result<File> {
    loop {
        let mut options = File::options();
        let options = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path).named("open")?;
        if !file.metadata().named("fstat")?.is_file() {
            return Err(Error::Call("open", Errno::EINVAL));
        }
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        retry(|| fcntl(&file, FcntlArg::F_SETLK(&whole))).named("fcntl")?;
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

fn publish(mut file: &File) -> Result {
    file.set_len(0).named("ftruncate")?;
    file.write_all(getpid().to_string().as_bytes()).named("write")
}

fn tell(news: &mut PipeWriter) -> Result {
    news.write_all(b"ready ").named("write")
}

fn remove(file: &File, path: &Path) -> Result {
    if is_at(file, path) {
        fs::remove_file(path).named("unlink")
    } else {
        Ok(())
    }
}

/// Whether the path still leads to this open file.
fn is_at(file: &File, path: &Path) -> bool {
    let pair = |data: fs::Metadata| (data.dev(), data.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(own), Ok(there)) => pair(own) == pair(there),
        _ => false,
    }
}
