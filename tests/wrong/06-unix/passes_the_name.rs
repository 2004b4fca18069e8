//! Refused by step 6 (pass). Replaces src/pass.rs.
//! The name of the file goes over, and the taker opens it. That works as long as both stand in the same
//! directory, see the same files and have the same rights: what was to be passed is a right.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
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
    let name = file.as_os_str().as_bytes().to_vec();
    File::open(file).named("open")?;
    let taker = send::connect(path)?;
    send::send(&taker, &name)
}

pub fn take(path: &Path) -> Result {
    listener::during(path, |listener| {
        let giver = accept(listener)?;
        listener.wait([giver.as_fd()].into_iter())?;
        let mut name = [0; 4096];
        let n = retry(|| read(&giver, &mut name)).named("read")?;
        if n == 0 {
            return Err(Error::NoDescriptor);
        }
        let name = OsStr::from_bytes(&name[..n]);
        let file = OwnedFd::from(File::open(name).map_err(|_| Error::NoDescriptor)?);
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
