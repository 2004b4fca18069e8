//! Step 5, who: a receiver that knows who speaks, since the kernel says so.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, geteuid};

use crate::{Named, Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

// ANCHOR: greet
/// What to print before each line of this sender: who it is. None: it is somebody else's, and not let in.
fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    // Noted by the kernel when it connected. The file's mode could have been changed since it was made; this cannot.
    let who = getsockopt(sender, sockopt::PeerCredentials).named("getsockopt")?;
    let uid = Uid::from_raw(who.uid());
    let may_talk = uid.is_root() || uid == geteuid();
    Ok(may_talk.then(|| format!("pid {} uid {uid}: ", who.pid()).into_bytes()))
}
// ANCHOR_END: greet
