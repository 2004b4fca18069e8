//! Right for step 5 (exit). Replaces src/exit.rs.
//! C's buffer in place of Rust's: exit(3) flushes it, and so does a return from `main`, which ends in exit(3).

use std::ffi::CStr;
use std::io;
use std::process::ExitCode;

use nix::libc;

use crate::{Error, Named, Result};

/// A way to leave a process.
pub type How = fn(u8) -> ExitCode;

/// The way that `name` stands for.
pub fn how(name: &str) -> Result<How> {
    match name {
        "return" => Ok(ExitCode::from),
        // SAFETY: this program has one thread, and no handler of ours runs at its exit.
        "exit" => Ok(|code| unsafe { libc::exit(code.into()) }),
        // SAFETY: `_exit` takes no pointer and runs no code of this process.
        "_exit" => Ok(|code| unsafe { libc::_exit(code.into()) }),
        _ => Err(Error::Usage(format!("no way {name:?} to exit"))),
    }
}

/// A value with something left to do.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        // `drop` has nobody to return an error to; `run` finds it when it flushes.
        let _ = put(c" dropped");
    }
}

pub fn run(leave: How, code: u8) -> Result<ExitCode> {
    let code = hold_and(leave, code)?;
    // SAFETY: a null pointer stands for all streams.
    match unsafe { libc::fflush(std::ptr::null_mut()) } {
        0 => Ok(code),
        _ => Err(io::Error::last_os_error()).named("write"),
    }
}

/// Holds the value until it is left: by its end, or never.
fn hold_and(leave: How, code: u8) -> Result<ExitCode> {
    let _held = Held;
    put(c"buffered")?;
    Ok(leave(code))
}

/// Puts a text into C's buffer of stdout.
fn put(text: &CStr) -> Result {
    // SAFETY: both are strings that end in a zero byte, and the format takes one.
    match unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) } {
        count if count < 0 => Err(io::Error::last_os_error()).named("write"),
        _ => Ok(()),
    }
}
