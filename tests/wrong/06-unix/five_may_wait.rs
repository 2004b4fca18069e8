//! Refused by step 2 (talk). Replaces src/listener.rs.
//! A backlog of 5, as in the first examples that one meets. As long as the receiver is quick nobody notices; while it does
//! something else, the seventh who comes has to wait for it in connect.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, SFlag, lstat, umask};
use nix::unistd::unlink;

use crate::{Error, Named, Result, retry, say};

/// How many may wait to be accepted. The kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 5;

/// What tells one file from all others: its device, and its number there.
type FileId = (libc::dev_t, libc::ino_t);

/// A socket that listens at a path.
pub struct Listener<'a> {
    socket: OwnedFd,
    path: &'a Path,
    /// Its own file. As long as the socket is open, the kernel gives this number to no other.
    file: FileId,
    /// The directory. Who holds the lock on it decides what is at the path.
    dir: File,
    signals: SignalFd,
}

/// Listens at this path, says so, and does the work. In the end the file is removed, whatever came of the work, and then
/// the socket closed. A signal is a good end.
pub fn during(path: &Path, work: impl FnOnce(&Listener) -> Result) -> Result {
    let listener = Listener::bind(path)?;
    let said = say(&[b"listening on ", path.as_os_str().as_bytes()]);
    let done = said.and_then(|()| work(&listener));
    let removed = listener.remove();
    match done {
        Err(Error::Signal) => removed,
        // The first error is the one to tell.
        done => done.and(removed),
    }
}

impl Listener<'_> {
    /// Makes a socket that listens at this path. The lock is held from before the first look at the path until somebody
    /// listens there: or two who start together could both find a stale file, and one remove the other's new one.
    fn bind(path: &Path) -> Result<Listener<'_>> {
        let addr = UnixAddr::new(path).named("bind")?;
        let dir = open_directory(path)?;
        let (socket, file, signals) = locked(&dir, || {
            // From here on a signal waits until it is asked for. Before, it may end us: there is no file yet.
            let signals = signals()?;
            let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).named("socket")?;
            bind_file(&socket, path, &addr)?;
            match start(&socket, path) {
                Ok(file) => Ok((socket, file, signals)),
                Err(error) => {
                    let _ = unlink(path);
                    Err(error)
                }
            }
        })?;
        Ok(Listener {
            socket,
            path,
            file,
            dir,
            signals,
        })
    }

    /// Removes the file, unless somebody has put another one in its place.
    fn remove(&self) -> Result {
        // Under the lock, and while we listen: nobody who keeps to the rules takes the path away in between.
        locked(&self.dir, || match id(self.path) {
            Ok(file) if file == self.file => unlink(self.path).named("unlink"),
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::Call("lstat", errno)),
        })
    }

    /// Sleeps until one of these can be read, has ended, or is broken; answers for each whether it is so. A signal
    /// comes out as an error.
    pub fn wait<'b>(&'b self, fds: impl Iterator<Item = BorrowedFd<'b>>) -> Result<Vec<bool>> {
        let all = std::iter::once(self.signals.as_fd()).chain(fds);
        let mut fds: Vec<PollFd> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        retry(|| poll(&mut fds, PollTimeout::NONE)).named("poll")?;
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
        if ready.next() == Some(true) {
            return Err(Error::Signal);
        }
        Ok(ready.collect())
    }

    /// Accepts one who has connected; the socket does not block. `EAGAIN`: nobody waits.
    pub fn accept(&self) -> nix::Result<OwnedFd> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = retry(|| accept4(self.socket.as_raw_fd(), flags))?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl AsFd for Listener<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Opens the directory that this path is in. (Never a FIFO: opening that would wait.)
fn open_directory(path: &Path) -> Result<File> {
    let dir = path.parent().unwrap_or(path);
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let mut options = File::options();
    options
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(dir)
        .named("open")
}

/// Does something while holding the lock on a directory: on the directory itself, so that there is no lock file which
/// somebody would have to remove.
fn locked<T>(dir: &File, work: impl FnOnce() -> Result<T>) -> Result<T> {
    flock(dir, libc::LOCK_EX).named("flock")?;
    let done = work();
    // If this could fail, the lock would end with us.
    let _ = flock(dir, libc::LOCK_UN);
    done
}

fn flock(dir: &File, operation: libc::c_int) -> nix::Result<()> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    retry(|| Errno::result(unsafe { libc::flock(dir.as_raw_fd(), operation) })).map(drop)
}

/// Blocks SIGINT and SIGTERM, and returns a descriptor that becomes readable when one of them comes. And SIGPIPE, which
/// would end us before the file is removed: the write that finds no reader fails as well.
fn signals() -> Result<SignalFd> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    let blocked = ends | SigSet::from(Signal::SIGPIPE);
    blocked.thread_block().named("sigprocmask")?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).named("signalfd")
}

/// Gives the socket its name: bind(2) creates the file. Where there is one already, and it is stale, that one goes.
fn bind_file(socket: &OwnedFd, path: &Path, addr: &UnixAddr) -> Result {
    // Read and write for the owner, from the first moment: after a chmod(2) somebody may have connected already. (It is
    // the mask of the whole process; but we create no other file.)
    umask(Mode::from_bits_truncate(0o177));
    match bind(socket.as_raw_fd(), addr) {
        Err(Errno::EADDRINUSE) => {
            remove_stale(path, addr)?;
            bind(socket.as_raw_fd(), addr).named("bind")
        }
        bound => bound.named("bind"),
    }
}

// ANCHOR: remove_stale
/// Removes what is at this path, if it is a socket that nobody holds any more. Else the path is in use.
fn remove_stale(path: &Path, addr: &UnixAddr) -> Result {
    let there = lstat(path).named("lstat")?;
    let is_socket = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT == SFlag::S_IFSOCK;
    // A file that is no socket refuses, too: ask only a socket.
    if !is_socket || probe(addr)? != Err(Errno::ECONNREFUSED) {
        return Err(Error::Call("bind", Errno::EADDRINUSE));
    }
    unlink(path).named("unlink")
}
// ANCHOR_END: remove_stale

/// Connects to see whether somebody is there, and hangs up. With a datagram socket: a stream socket that is open refuses
/// that as the wrong type, listening or not yet, and gets no connection into its queue, which `take` would accept.
fn probe(addr: &UnixAddr) -> Result<nix::Result<()>> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let probe = socket(AddressFamily::Unix, SockType::Datagram, flags, None).named("socket")?;
    Ok(retry(|| connect(probe.as_raw_fd(), addr)))
}

/// Notes which file bind(2) has made, and listens.
fn start(socket: &OwnedFd, path: &Path) -> Result<FileId> {
    let file = id(path).named("lstat")?;
    listen(socket, Backlog::new(BACKLOG).named("listen")?).named("listen")?;
    Ok(file)
}

/// Which file is at this path.
fn id(path: &Path) -> nix::Result<FileId> {
    lstat(path).map(|there| (there.st_dev, there.st_ino))
}
