//! Step 1, kind: a socket has a name in the file system, and so it is one of the kinds of file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::{SFlag, lstat};

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

/// The letter that `ls -l` shows for what is at this path.
fn kind(path: &OsString) -> nix::Result<u8> {
    // What is there itself, and not what it leads to.
    let mode = SFlag::from_bits_truncate(lstat(path.as_os_str())?.st_mode);
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
