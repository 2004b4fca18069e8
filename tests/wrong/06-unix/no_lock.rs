//! Refused by step 3 (stale). Replaces src/listener.rs.
//! Look, remove, bind: each call is right, and with one receiver all goes well. Of two that start together
//! one removes what the other has just made.

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

const BACKLOG: i32 = 4096;

type FileId = (libc::dev_t, libc::ino_t);

pub struct Listener<'a> {
    socket: OwnedFd,
    path: &'a Path,
    file: FileId,
    dir: File,
    signals: SignalFd,
}

pub fn during(path: &Path, work: impl FnOnce(&Listener) -> Result) -> Result {
    let listener = Listener::bind(path)?;
    let said = say(&[b"listening on ", path.as_os_str().as_bytes()]);
    let done = said.and_then(|()| work(&listener));
    let removed = listener.remove();
    match done {
        Err(Error::Signal) => removed,
        done => done.and(removed),
    }
}

impl Listener<'_> {
    fn bind(path: &Path) -> Result<Listener<'_>> {
        let addr = UnixAddr::new(path).named("bind")?;
        let dir = open_directory(path)?;
        let (socket, file, signals) = locked(&dir, || {
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

    fn remove(&self) -> Result {
        locked(&self.dir, || match id(self.path) {
            Ok(file) if file == self.file => unlink(self.path).named("unlink"),
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(Error::Call("lstat", errno)),
        })
    }

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

fn locked<T>(dir: &File, work: impl FnOnce() -> Result<T>) -> Result<T> {
    work()
}

fn signals() -> Result<SignalFd> {
    let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    let blocked = ends | SigSet::from(Signal::SIGPIPE);
    blocked.thread_block().named("sigprocmask")?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).named("signalfd")
}

fn bind_file(socket: &OwnedFd, path: &Path, addr: &UnixAddr) -> Result {
    umask(Mode::from_bits_truncate(0o177));
    match bind(socket.as_raw_fd(), addr) {
        Err(Errno::EADDRINUSE) => {
            remove_stale(path, addr)?;
            bind(socket.as_raw_fd(), addr).named("bind")
        }
        bound => bound.named("bind"),
    }
}

fn remove_stale(path: &Path, addr: &UnixAddr) -> Result {
    let there = lstat(path).named("lstat")?;
    let is_socket = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT == SFlag::S_IFSOCK;
    if !is_socket || probe(addr)? != Err(Errno::ECONNREFUSED) {
        return Err(Error::Call("bind", Errno::EADDRINUSE));
    }
    unlink(path).named("unlink")
}

fn probe(addr: &UnixAddr) -> Result<nix::Result<()>> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let probe = socket(AddressFamily::Unix, SockType::Datagram, flags, None).named("socket")?;
    Ok(retry(|| connect(probe.as_raw_fd(), addr)))
}

fn start(socket: &OwnedFd, path: &Path) -> Result<FileId> {
    let file = id(path).named("lstat")?;
    listen(socket, Backlog::new(BACKLOG).named("listen")?).named("listen")?;
    Ok(file)
}

fn id(path: &Path) -> nix::Result<FileId> {
    lstat(path).map(|there| (there.st_dev, there.st_ino))
}
