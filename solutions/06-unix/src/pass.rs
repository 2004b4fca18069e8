//! Step 6, pass: an open file goes from one process to another.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};
use nix::unistd::read;

use crate::listener::{self, Listener};
use crate::{Error, Named, Result, print, retry, send};

/// How many descriptors one message can carry (SCM_MAX_FD; unix(7)). With room for fewer, some would be lost.
const MOST: usize = 253;

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

/// Opens the file, and passes what it has opened.
pub fn give(path: &Path, file: &Path) -> Result {
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(libc::O_NOCTTY)
        .open(file)
        .named("open")?;
    let taker = send::connect(path)?;
    let fds = [file.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&fds)];
    // On a stream a descriptor needs a byte to travel with.
    let byte = [IoSlice::new(b"!")];
    let flags = MsgFlags::MSG_NOSIGNAL;
    retry(|| sendmsg::<UnixAddr>(taker.as_raw_fd(), &byte, &message, flags, None)).named("sendmsg")?;
    Ok(())
}

/// Serves one giver: prints what it reads from the descriptor that it is given.
pub fn take(path: &Path) -> Result {
    listener::during(path, |listener| {
        let file = receive(&accept(listener)?, listener)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            listener.wait([file.as_fd()].into_iter())?;
            match retry(|| read(&file, &mut buffer)) {
                Ok(0) => return Ok(()),
                Ok(n) => print(&buffer[..n])?,
                // Who shares the open file may have been faster, or have set O_NONBLOCK.
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(Error::Call("read", errno)),
            }
        }
    })
}

/// Sleeps until somebody has connected.
fn accept(listener: &Listener) -> Result<OwnedFd> {
    loop {
        listener.wait([listener.as_fd()].into_iter())?;
        match listener.accept() {
            Err(Errno::EAGAIN | Errno::ECONNABORTED) => {}
            accepted => return accepted.named("accept4"),
        }
    }
}

/// Sleeps until the giver has sent its message; returns the descriptor that came with it.
fn receive(giver: &OwnedFd, listener: &Listener) -> Result<OwnedFd> {
    loop {
        listener.wait([giver.as_fd()].into_iter())?;
        match receive_fds(giver) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            fds => {
                return fds
                    .named("recvmsg")?
                    .into_iter()
                    .next()
                    .ok_or(Error::NoDescriptor);
            }
        }
    }
}

// ANCHOR: receive_fds
/// Receives a message; returns all descriptors that came with it: each is ours now, and is to be closed by us.
fn receive_fds(giver: &OwnedFd) -> nix::Result<Vec<OwnedFd>> {
    let (mut byte, mut space) = ([0], cmsg_space!([RawFd; MOST]));
    let mut byte = [IoSliceMut::new(&mut byte)];
    // They are made while the call runs, and so is close-on-exec set: afterwards it could be too late.
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(giver.as_raw_fd(), &mut byte, Some(&mut space), flags)?;
    let mut fds = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(passed) = control {
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            fds.extend(passed.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(fds)
}
// ANCHOR_END: receive_fds
