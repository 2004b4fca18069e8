//! The terminal's own settings. This file is complete.

use std::io::{self, IsTerminal};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use crate::{Named, Result, retry};

/// How wide a terminal is that does not say it.
const COLUMNS: usize = 80;

/// A terminal that hands over each key at once. When this is dropped, it is as it was before.
pub struct Terminal {
    before: Termios,
}

impl Terminal {
    /// None: it is not a terminal, on one side at least.
    pub fn open() -> Result<Option<Terminal>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin()).named("tcgetattr")?;
        let terminal = Terminal { before };
        terminal.prepare()?;
        Ok(Some(terminal))
    }

    /// Has each key handed over at once (ICANON), and shown by nobody but us (ECHO). Ctrl-C stays a signal (ISIG).
    pub fn prepare(&self) -> Result {
        let mut settings = self.before.clone();
        settings.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        retry(|| tcsetattr(io::stdin(), SetArg::TCSANOW, &settings)).named("tcsetattr")
    }

    /// How wide it is now.
    pub fn columns(&self) -> usize {
        // SAFETY: all zeros is a valid `winsize`.
        let mut size: libc::winsize = unsafe { std::mem::zeroed() };
        // SAFETY: TIOCGWINSZ writes a `winsize` there, and nothing else.
        let done = unsafe { libc::ioctl(io::stdout().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
        match size.ws_col {
            columns @ 1.. if done == 0 => columns.into(),
            _ => COLUMNS,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If this fails, the terminal is gone.
        let _ = retry(|| tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before));
    }
}
