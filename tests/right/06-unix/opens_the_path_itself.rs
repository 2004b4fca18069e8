//! Right for step 1 (kind). Replaces src/kind.rs.
//! Opens what is at the path, without reading it and without following a link (`O_PATH`), and asks the
//! descriptor.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};

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
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let itself = open(path.as_os_str(), flags, Mode::empty())?;
    let mode = SFlag::from_bits_truncate(fstat(&itself)?.st_mode);
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
