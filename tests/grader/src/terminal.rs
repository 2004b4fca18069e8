//! A pseudo-terminal (`pty(7)`): the program under judgement has it as its controlling terminal, and the check sits in front
//! of it. It types, looks at what came on the screen, changes its size, and hangs up.

use crate::{
    run::Run,
    still::{Party, until_still},
    verdict::{Refusal, Verdict},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{stat::Mode, termios},
    unistd::{read, write},
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

/// A terminal of the check's own.
pub struct Terminal {
    keyboard: OwnedFd,
    /// The program's end. The test holds it too: that lets it wait for the kernel, and what the program has said last is not
    /// lost when it ends.
    line: OwnedFd,
    path: String,
    /// What came and was not taken yet.
    pub came: Vec<u8>,
}

impl Terminal {
    /// A new one, of this size. It is in the mode in which terminals begin: lines, with echo and signals.
    ///
    /// # Errors
    /// [`Refusal::NotChecked`] where there is none to be had.
    pub fn new(rows: u16, columns: u16) -> Verdict<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let keyboard = open("/dev/ptmx", flags, Mode::empty()).map_err(none)?;
        let (unlocked, mut number) = (0_i32, 0_i32);
        // SAFETY: both point to an int, which is what these two read and write (ioctl_tty(2)).
        let done = unsafe {
            libc::ioctl(keyboard.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked) == 0
                && libc::ioctl(keyboard.as_raw_fd(), libc::TIOCGPTN, &raw mut number) == 0
        };
        let line_flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        // SAFETY: takes a number, and answers with a new descriptor or −1.
        let line = unsafe { libc::ioctl(keyboard.as_raw_fd(), libc::TIOCGPTPEER, line_flags) };
        if !done || line < 0 {
            return Err(none(Errno::last()));
        }
        let terminal = Self {
            keyboard,
            // SAFETY: the kernel has just made it for us; nobody else owns it.
            line: unsafe { OwnedFd::from_raw_fd(line) },
            path: format!("/dev/pts/{number}"),
            came: Vec::new(),
        };
        terminal.resize(rows, columns)?;
        Ok(terminal)
    }

    /// Types these bytes.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when they do not fit.
    pub fn press(&self, keys: &[u8]) -> Verdict {
        match write(&self.keyboard, keys) {
            Ok(n) if n == keys.len() => Ok(()),
            other => Err(Refusal::Broken(format!(
                "of {keys:?} only {other:?} could be typed"
            ))),
        }
    }

    /// Gives it another size; who is in front of it gets `SIGWINCH`.
    ///
    /// # Errors
    /// [`Refusal::NotChecked`] when the kernel does not allow it.
    pub fn resize(&self, rows: u16, columns: u16) -> Verdict {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: points to what this call reads (ioctl_tty(2)).
        match unsafe { libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } {
            0 => Ok(()),
            _ => Err(none(Errno::last())),
        }
    }

    /// How it is set: its modes as numbers, input, output, control, local.
    ///
    /// # Errors
    /// [`Refusal::NotChecked`] when the kernel does not tell.
    pub fn modes(&self) -> Verdict<(u32, u32, u32, u32)> {
        let modes = termios::tcgetattr(&self.line).map_err(none)?;
        Ok((
            modes.input_flags.bits(),
            modes.output_flags.bits(),
            modes.control_flags.bits(),
            modes.local_flags.bits(),
        ))
    }

    /// Lets everything come about that was typed, and that the parties then do; all that they have written is in
    /// [`Terminal::came`].
    ///
    /// Between the two ends the kernel carries bytes in a worker of its own (`flush_to_ldisc`). It is waited for by whoever
    /// looks and finds nothing: `poll` and `read` do so before they say that there is none (`n_tty_poll` and `n_tty_read` in
    /// the kernel's `drivers/tty/n_tty.c`). So a look at the program's end brings it the keys, and a read of ours that finds
    /// nothing found all.
    ///
    /// # Errors
    /// As [`until_still`].
    pub fn until_still(&mut self, parties: &mut [&mut Party]) -> Verdict {
        loop {
            look(&self.line, PollFlags::POLLIN);
            until_still(parties)?;
            if !self.pull() {
                return Ok(());
            }
        }
    }

    fn pull(&mut self) -> bool {
        let (before, mut buffer) = (self.came.len(), [0; 4096]);
        loop {
            match read(&self.keyboard, &mut buffer) {
                Ok(n @ 1..) => self.came.extend_from_slice(&buffer[..n]),
                Err(Errno::EINTR) => {}
                _ => return self.came.len() > before,
            }
        }
    }

    /// Hangs up, as a window that is closed does: the leader of the session gets `SIGHUP`. Returns when the program's end is
    /// dead. (A child that another check has forked holds a copy of our end until its exec closes it.)
    pub fn hang_up(self) {
        let Self { keyboard, line, .. } = self;
        drop(keyboard);
        while !look(&line, PollFlags::empty()).contains(PollFlags::POLLHUP) {
            std::thread::yield_now();
        }
    }
}

/// What `poll` says of a terminal's end at this moment.
fn look(line: &OwnedFd, events: PollFlags) -> PollFlags {
    let mut fds = [PollFd::new(line.as_fd(), events)];
    let _ = poll(&mut fds, PollTimeout::ZERO);
    fds[0].revents().unwrap_or(PollFlags::empty())
}

impl Run {
    /// Its standard input, output and error are this terminal, which is its controlling terminal too: it leads a session of
    /// its own. What it prints comes to the terminal, and not into the story.
    pub fn on(mut self, terminal: &Terminal) -> Self {
        self.plan.terminal.clone_from(&terminal.path);
        self
    }
}

fn none(errno: Errno) -> Refusal {
    let error = io::Error::from(errno);
    Refusal::NotChecked(format!("no pseudo-terminal is to be had here: {error}"))
}
