//! Right for step 5 (who). Replaces src/who.rs.
//! The call itself, without a wrapper.

use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use crate::{Named, Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    let (mut who, mut size) = (
        libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        },
        mem::size_of::<libc::ucred>() as u32,
    );
    let to = (&raw mut who).cast();
    // SAFETY: the kernel writes at most `size` bytes, and `who` has as many.
    let got = unsafe {
        libc::getsockopt(
            sender.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            to,
            &mut size,
        )
    };
    Errno::result(got).named("getsockopt")?;
    // SAFETY: takes no argument and cannot fail.
    let own = unsafe { libc::geteuid() };
    let may_talk = [0, own].contains(&who.uid);
    Ok(may_talk.then(|| format!("pid {} uid {}: ", who.pid, who.uid).into_bytes()))
}
