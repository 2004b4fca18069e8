//! Refused by step 1 (kind). Replaces src/kind.rs.
//! The complaint goes where the answers go, in its place among them. Who pipes the answers on gets it as
//! one of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::{SFlag, lstat};

use crate::{Error, Result, reason, say};

pub fn run(paths: &[OsString]) -> Result {
    let mut found = Ok(());
    for path in paths {
        match kind(path) {
            Ok(letter) => say(&[&[letter], b" ", path.as_bytes()])?,
            Err(errno) => {
                say(&[b"unix: ", path.as_bytes(), b": ", reason(errno).as_bytes()])?;
                found = Err(Error::Told);
            }
        }
    }
    found
}

fn kind(path: &OsString) -> nix::Result<u8> {
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
