//! Refused by step 1 (kind). Replaces src/kind.rs.
//! The kinds are asked for one by one with `contains`, as one asks for flags. They are numbers: that of a
//! socket has all the bits of a plain file's in it, so whoever asks for the plain file first finds one.

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

fn kind(path: &OsString) -> nix::Result<u8> {
    let mode = SFlag::from_bits_truncate(lstat(path.as_os_str())?.st_mode);
    let kinds = [
        (SFlag::S_IFREG, b'-'),
        (SFlag::S_IFDIR, b'd'),
        (SFlag::S_IFLNK, b'l'),
        (SFlag::S_IFSOCK, b's'),
        (SFlag::S_IFIFO, b'p'),
        (SFlag::S_IFCHR, b'c'),
        (SFlag::S_IFBLK, b'b'),
    ];
    let found = kinds.iter().find(|(kind, _)| mode.contains(*kind));
    Ok(found.map_or(b'?', |(_, letter)| *letter))
}
