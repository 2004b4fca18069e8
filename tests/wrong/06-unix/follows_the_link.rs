//! Refused by step 1 (kind). Replaces src/kind.rs.
//! `stat` is the better-known call, and for most paths it says the same. But it answers for what a link
//! leads to: a link is never seen, and one that leads nowhere is an error.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::{SFlag, stat};

use crate::{Error, Result, complain, reason, say};

pub fn run(paths: &[OsString]) -> Result {
    let mut found = Ok(());
    for path in paths {
        match kind(path) {
            Ok(letter) => say(&[&[letter], b" ", path.as_bytes()])?,
            Err(errno) => {
                complain(&[path.as_bytes(), b": ", reason(errno).as_bytes()]);
                found = Err(Error::Told);
            }
        }
    }
    found
}

fn kind(path: &OsString) -> nix::Result<u8> {
    let mode = SFlag::from_bits_truncate(stat(path.as_os_str())?.st_mode);
    Ok(match mode & SFlag::S_IFMT {
        SFlag::S_IFREG => b'-',
        SFlag::S_IFDIR => b'd',
        SFlag::S_IFLNK => b'l',
        SFlag::S_IFSOCK => b's',
        SFlag::S_IFIFO => b'p',
        SFlag::S_IFCHR => b'c',
        SFlag::S_IFBLK => b'b',
        _ => b'?',
    })
}
