//! Right for step 6 (pass). Replaces src/pass.rs.
//! The control message as the kernel wants it, put together and taken apart by the macros of cmsg(3).

use std::fs::File;

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use nix::unistd::read;

use crate::listener::{self, Listener};
use crate::{Error, Named, Result, print, retry, send};

const BUFFER: usize = 64 * 1024;

pub fn give(path: &Path, file: &Path) -> Result {
    let mut options = File::options();
    let file = options
        .read(true)
        .custom_flags(libc::O_NOCTTY)
        .open(file)
        .named("open")?;
    let taker = send::connect(path)?;
    let (mut byte, mut space) = (*b"!", [0_u64; 3]);
    let mut data = io_vec(&mut byte);
    let message = header(&mut data, &mut space);
    // SAFETY: the space holds one header and one descriptor, and the data is one byte; all live until the call is over.
    retry(|| unsafe {
        let control = libc::CMSG_FIRSTHDR(&message);
        (*control).cmsg_level = libc::SOL_SOCKET;
        (*control).cmsg_type = libc::SCM_RIGHTS;
        (*control).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(control)
            .cast::<RawFd>()
            .write_unaligned(file.as_raw_fd());
        Errno::result(libc::sendmsg(taker.as_raw_fd(), &message, libc::MSG_NOSIGNAL))
    })
    .named("sendmsg")?;
    Ok(())
}

fn io_vec(byte: &mut [u8; 1]) -> libc::iovec {
    libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    }
}

fn header(data: &mut libc::iovec, space: &mut [u64; 3]) -> libc::msghdr {
    // SAFETY: all zero is a header without anything.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = data;
    message.msg_iovlen = 1;
    message.msg_control = space.as_mut_ptr().cast();
    message.msg_controllen = 24;
    message
}

pub fn take(path: &Path) -> Result {
    listener::during(path, |listener| {
        let file = receive(&accept(listener)?, listener)?;
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
    let (mut byte, mut space) = ([0], [0_u64; 3]);
    let mut data = io_vec(&mut byte);
    let mut message = header(&mut data, &mut space);
    let flags = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes no more than the lengths in the header allow: room for one descriptor, which is ours then.
    unsafe {
        Errno::result(libc::recvmsg(giver.as_raw_fd(), &mut message, flags))?;
        let control = libc::CMSG_FIRSTHDR(&message);
        if control.is_null() || (*control).cmsg_type != libc::SCM_RIGHTS {
            return Ok(Vec::new());
        }
        let fd = libc::CMSG_DATA(control).cast::<RawFd>().read_unaligned();
        Ok(vec![OwnedFd::from_raw_fd(fd)])
    }
}
