//! Step 1, kind: a socket has a name in the file system, and so it is one of the kinds of file.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
    // TODO 1: look at what is at this path, and find its letter.
    //   which call: stat(2) follows a symbolic link, lstat(2) does not, and `ls -l` shows the link itself
    //   `SFlag::from_bits_truncate(st_mode) & SFlag::S_IFMT` is the kind of file: S_IFREG, S_IFDIR, …
    //   - regular  d directory  l link  s socket  p FIFO  c character device  b block device
    //   -> for /tmp: Ok(b'd'); for a path that is not there: Err(Errno::ENOENT)
    todo!("step 1: the letter of a file's kind")
}
