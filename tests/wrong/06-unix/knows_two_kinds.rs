//! Refused by step 1 (kind). Replaces src/kind.rs.
//! What is no directory is a file, one thinks, and that is what `is_dir` suggests.

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
    Ok(match mode & SFlag::S_IFMT {
        SFlag::S_IFDIR => b'd',
        _ => b'-',
    })
}
