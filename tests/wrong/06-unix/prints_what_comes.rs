//! Refused by step 6 (pass). Replaces src/pass.rs.
//! What comes over the socket is printed. Whatever came with it is never asked for, and the kernel closes
//! it.

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

const MOST: usize = 253;

const BUFFER: usize = 64 * 1024;

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
    let byte = [IoSlice::new(b"!")];
    let flags = MsgFlags::MSG_NOSIGNAL;
    retry(|| sendmsg::<UnixAddr>(taker.as_raw_fd(), &byte, &message, flags, None)).named("sendmsg")?;
    Ok(())
}

pub fn take(path: &Path) -> Result {
    listener::during(path, |listener| {
        let file = accept(listener)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            listener.wait([file.as_fd()].into_iter())?;
            match retry(|| read(&file, &mut buffer)) {
                Ok(0) => return Ok(()),
                Ok(n) => print(&buffer[..n])?,
                Err(Errno::EAGAIN) => {}
                Err(errno) => return Err(Error::Call("read", errno)),
            }
        }
    })
}

fn accept(listener: &Listener) -> Result<OwnedFd> {
    loop {
        listener.wait([listener.as_fd()].into_iter())?;
        match listener.accept() {
            Err(Errno::EAGAIN | Errno::ECONNABORTED) => {}
            accepted => return accepted.named("accept4"),
        }
    }
}

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

fn receive_fds(giver: &OwnedFd) -> nix::Result<Vec<OwnedFd>> {
    let (mut byte, mut space) = ([0], cmsg_space!([RawFd; MOST]));
    let mut byte = [IoSliceMut::new(&mut byte)];
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
