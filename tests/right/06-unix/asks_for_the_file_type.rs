//! Right for step 1 (kind). Replaces src/kind.rs.
//! With the standard library: `symlink_metadata` is lstat, and `FileTypeExt` knows the kinds that only Unix
//! has.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;

use nix::errno::Errno;

use crate::{Error, Result, complain, reason, say};

pub fn run(paths: &[OsString]) -> Result {
    let mut found = Ok(());
    for path in paths {
        match fs::symlink_metadata(path) {
            Ok(there) => say(&[&[letter(there.file_type())], b" ", path.as_bytes()])?,
            Err(error) => {
                let errno = Errno::try_from(error).unwrap_or(Errno::EIO);
                complain(&[path.as_bytes(), b": ", reason(errno).as_bytes()]);
                found = Err(Error::Told);
            }
        }
    }
    found
}

fn letter(kind: FileType) -> u8 {
    match kind {
        kind if kind.is_symlink() => b'l',
        kind if kind.is_dir() => b'd',
        kind if kind.is_socket() => b's',
        kind if kind.is_fifo() => b'p',
        kind if kind.is_char_device() => b'c',
        kind if kind.is_block_device() => b'b',
        _ => b'-',
    }
}
