//! Refused by step 6 (daemon). Replaces src/daemon.rs.
//! What is in the file is kept, the file is written, and only then is the lock asked for; when that is refused, the old text is put
//! back. Afterwards nothing is to be seen; in between, whoever reads the file finds the wrong pid.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};
use std::process;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid, write};

use crate::{Error, Named, Result, leave, reap, retry};

pub fn run(path: &Path) -> Result {
    close_inherited()?;
    let pidfile = PidFile::lock(path)?;
    let started = start(&pidfile);
    if started.is_err() {
        // The first error is the one to tell.
        let _ = pidfile.remove();
    }
    started
}

/// Closes what the caller's own parent has left open above standard error: a daemon would hold it for years.
fn close_inherited() -> Result {
    // SAFETY: this program has opened nothing yet, so nobody in it owns a descriptor from 3 up.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    Errno::result(closed).named("close_range")?;
    Ok(())
}

/// Starts the daemon; returns (in the caller only) when the daemon has reported or ended.
fn start(pidfile: &PidFile) -> Result {
    let (report, ready) = pipe2(OFlag::O_CLOEXEC).named("pipe2")?;
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => {
            drop(report);
            leave(middle(pidfile, ready))
        }
        ForkResult::Parent { child } => {
            drop(ready);
            // To the end of file: when the caller returns, the daemon has let go of the pipe, too.
            let mut reported = Vec::new();
            let read = File::from(report).read_to_end(&mut reported).named("read");
            reap(child)?;
            read?;
            // Nothing: the middle process or the daemon has ended, and has said why on the caller's standard error.
            if reported.is_empty() {
                Err(Error::Child)
            } else {
                Ok(())
            }
        }
    }
}

/// The middle process: leads a new session, which has no terminal, makes the daemon, and is gone.
fn middle(pidfile: &PidFile, ready: OwnedFd) -> Result {
    setsid().named("setsid")?;
    // The second fork: only a session's leader can acquire a terminal, and its child is none.
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(daemon(pidfile, ready)),
        ForkResult::Parent { .. } => Ok(()),
    }
}

/// The daemon, from its first moment to its last.
fn daemon(pidfile: &PidFile, ready: OwnedFd) -> Result {
    // Before the pid can be known to anybody: from then on SIGTERM may come.
    let sigterm = block_signals()?;
    settle()?;
    let null = open_null()?;
    pidfile.write_pid()?;
    // The streams go last: until the report is out, an error is said where the caller's user sees it.
    let served = report(&ready).and_then(|()| leave_streams(null)).and_then(|()| {
        // The caller has been reading to the end of file: now it returns.
        drop(ready);
        // From here on only the exit status could tell of an error; but sigwait knows none that could happen here.
        retry(|| sigterm.wait()).named("sigwait")
    });
    // The first error is the one to tell. (The caller may be removing the file, too, when `report` has failed.)
    let removed = pidfile.remove();
    served.and(removed)
}

/// Blocks `SIGTERM`, so that it stays pending until it is asked for; returns the set to ask for.
fn block_signals() -> Result<SigSet> {
    let sigterm = SigSet::from(Signal::SIGTERM);
    // And SIGPIPE: that the caller has gone must come as an error from `report`, and not as a death.
    let blocked = sigterm | SigSet::from(Signal::SIGPIPE);
    blocked.thread_block().named("sigprocmask")?;
    Ok(sigterm)
}

/// Gives up the caller's directory, which could not be unmounted, and the caller's umask: the daemon's files
/// get the modes that it asks for.
fn settle() -> Result {
    chdir("/").named("chdir")?;
    umask(Mode::empty());
    Ok(())
}

/// Opens what is to take the place of the standard streams.
fn open_null() -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).open("/dev/null").named("open")
}

/// Tells the caller that the daemon is ready.
fn report(ready: &OwnedFd) -> Result {
    retry(|| write(ready, b"!")).named("write")?;
    Ok(())
}

/// Puts `/dev/null` in the place of the standard streams: `dup2` closes the old one and copies the new one there.
/// Standard error is the last: it is where an error would be told.
fn leave_streams(null: File) -> Result {
    dup2_stdin(&null).named("dup2")?;
    dup2_stdout(&null).named("dup2")?;
    dup2_stderr(&null).named("dup2")
}

/// The file that holds the daemon's pid. Whether the daemon lives is told by the lock on it, which ends with
/// its last holder, however that ends: the number alone may be stale, or another process's by now.
struct PidFile {
    file: File,
    /// Absolute, since the daemon goes to `/`.
    path: PathBuf,
}

impl PidFile {
    /// Opens (or creates) the file and locks it. Fails where a daemon holds the lock, and changes nothing then.
    fn lock(path: &Path) -> Result<PidFile> {
        let path = path::absolute(path).named("getcwd")?;
        loop {
            let (file, is_new) = open(&path)?;
            let before = fs::read(&path).named("read")?;
            file.write_all_at(format!("{}\n", process::id()).as_bytes(), 0)
                .named("pwrite")?;
            match lock(&file) {
                Ok(()) if is_at(&file, &path)? => return Ok(PidFile { file, path }),
                // The last daemon removed the file after we had opened it: we hold the lock of nothing.
                Ok(()) => {}
                Err(error) => {
                    // What we have created goes with us, unless another one was quicker to lock it.
                    if is_new && !matches!(error, Error::Call(_, Errno::EWOULDBLOCK)) {
                        let _ = fs::remove_file(&path);
                    }
                    if !is_new {
                        file.set_len(0).named("ftruncate")?;
                        file.write_all_at(&before, 0).named("pwrite")?;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn write_pid(&self) -> Result {
        self.file.set_len(0).named("ftruncate")?;
        (&self.file)
            .write_all(format!("{}\n", process::id()).as_bytes())
            .named("write")
    }

    /// Removes the file, unless another one has taken its place. Called while the lock is held: whoever waits
    /// for it will see in `lock` that the file is gone.
    fn remove(&self) -> Result {
        if is_at(&self.file, &self.path)? {
            fs::remove_file(&self.path).named("unlink")?;
        }
        Ok(())
    }
}

/// Creates a pid file, or opens the one that is there, without emptying it: it may be another daemon's. Answers
/// whether it is new. Anything but a regular file is refused, or a daemon with `/dev/null` for its pid file would
/// remove that.
fn open(path: &Path) -> Result<(File, bool)> {
    let mut options = File::options();
    let options = options.read(true).write(true).truncate(false).mode(0o644);
    let options = options.custom_flags(libc::O_NOFOLLOW);
    match options.create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        created => return Ok((created.named("open")?, true)),
    }
    // `create` again: the file may have been removed in between.
    let file = options.create_new(false).create(true).open(path).named("open")?;
    if file.metadata().named("fstat")?.is_file() {
        Ok((file, false))
    } else {
        Err(Error::Call("open", Errno::EINVAL))
    }
}

/// Locks a file or fails at once. A `flock` belongs to the open file, which all who inherit the descriptor
/// share: taken by the caller, it is held until the daemon, too, has closed it. (A lock of `fcntl` belongs
/// to a process, and nix's `Flock` unlocks when it is dropped: neither survives the caller.)
fn lock(file: &File) -> Result {
    // SAFETY: the call takes two integers and touches no memory of ours.
    retry(|| Errno::result(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }))
        .named("flock")?;
    Ok(())
}

/// Whether this path still leads to this open file.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let own = file.metadata().named("fstat")?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(false),
        Err(error) => Err(error).named("lstat"),
    }
}
