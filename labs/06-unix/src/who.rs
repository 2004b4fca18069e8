//! Step 5, who: a receiver that knows who speaks, since the kernel says so.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, geteuid};

use crate::{Named, Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

/// What to print before each line of this sender: who it is. None: it is somebody else's, and not let in.
fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    // TODO 5: ask the kernel who has connected: `getsockopt` with `sockopt::PeerCredentials`.
    //   may talk to us: who has our own user id (`geteuid`), and root
    //   -> for one of ours: Ok(Some(b"pid 4711 uid 1000: ".to_vec())); for anybody else: Ok(None)
    todo!("step 5: who it is, from the kernel's word")
}
