//! Refused by step 5 (who). Replaces src/who.rs.
//! `getpid` and `getuid` are the calls one knows for ids. They are those of the program that calls:
//! everybody seems to be the receiver himself.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::unistd::{geteuid, getpid};

use crate::{Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    Ok(Some(format!("pid {} uid {}: ", getpid(), geteuid()).into_bytes()))
}
