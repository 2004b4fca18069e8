//! A run that nobody watches, for tables of many cases: where only the answer counts, an observation costs five times as
//! much as the program, and adds nothing.

use crate::{
    lab::Lab,
    run::{self, Run},
    story::{End, Ending, Story},
    verdict::{Refusal, Verdict},
    witness,
};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, poll},
};
use std::{
    ffi::OsStr,
    io::{self, PipeReader, Read},
    os::{
        fd::{AsFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, process::ExitStatusExt},
    },
    process::{Child, Command, Stdio},
};

/// The last resort against a program that does not end, in milliseconds.
const PATIENCE: u16 = 20_000;
/// And against one that prints without end, in bytes.
const MOST: usize = 16 << 20;

impl Lab {
    /// Runs the judged program with these arguments, which need not be text, and with nothing on its standard input.
    /// The story has no events.
    ///
    /// # Errors
    /// [`Refusal::Undone`] when it reached a `todo!`; a refusal when it did not end; [`Refusal::Broken`] when it could not
    /// be started.
    pub fn quick(&self, args: &[&[u8]]) -> Verdict<Story> {
        let program = self.subject();
        let broken = |error: io::Error| Refusal::Broken(format!("{}: {error}", program.display()));
        let mut child = Command::new(&program)
            .args(args.iter().map(|arg| OsStr::from_bytes(arg)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let (in_time, [stdout, stderr]) = follow(&mut child).map_err(broken)?;
        if !in_time {
            child.kill().map_err(broken)?;
        }
        let status = child.wait().map_err(broken)?;
        let mut story = witness::blank(&Run::new(&program, &[]).plan, End::Over);
        story.command = command(&program.to_string_lossy(), args);
        story.directory = "\0".to_owned(); // none of its own; and no text has this in it
        story.stdout = stdout;
        story.stderr = stderr;
        story.status = match (in_time, status.code(), status.signal()) {
            (false, ..) => None,
            (true, Some(code), _) => Some(Ending::Exited(code)),
            (true, None, signal) => Some(Ending::Killed(signal.unwrap_or(0))),
        };
        if let Some((step, place)) = run::undone(&story.stderr()) {
            let ran = story.ran();
            return Err(Refusal::Undone { step, place, ran });
        }
        if !in_time {
            let came = story.stdout.len() + story.stderr.len();
            story.end = match came > MOST {
                true => End::TooMuch(came),
                false => End::TimeLimit {
                    seconds: u64::from(PATIENCE) / 1000,
                    slow: false,
                },
            };
            story.expect_over()?;
        }
        Ok(story)
    }
}

/// As a shell would show it.
fn command(program: &str, args: &[&[u8]]) -> Vec<String> {
    let shown = |arg: &&[u8]| match str::from_utf8(arg) {
        Ok(text)
            if !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !"\\'\"<>!?*".contains(c)) =>
        {
            text.to_owned()
        }
        _ => format!("$'{}'", arg.escape_ascii()),
    };
    std::iter::once(program.to_owned())
        .chain(args.iter().map(shown))
        .collect()
}

/// Reads what the child prints until it has ended, `false` when it has not for a long time; what came from it.
fn follow(child: &mut Child) -> io::Result<(bool, [Vec<u8>; 2])> {
    // SAFETY: takes two numbers. The child is ours and not reaped yet, so that its number is its own.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)) };
    let mut pipes: [Option<PipeReader>; 2] = [
        child.stdout.take().map(|out| OwnedFd::from(out).into()),
        child.stderr.take().map(|err| OwnedFd::from(err).into()),
    ];
    let mut came = [Vec::new(), Vec::new()];
    loop {
        let open = pipes.iter().flatten().map(PipeReader::as_fd);
        let mut fds: Vec<PollFd> = [pidfd.as_fd()]
            .into_iter()
            .chain(open)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let none = match poll(&mut fds, PATIENCE) {
            Err(Errno::EINTR) => continue,
            ready => ready? == 0,
        };
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut of_pipes = ready[1..].iter();
        let mut moved = false;
        for (pipe, came) in pipes.iter_mut().zip(&mut came) {
            if pipe.is_some() && of_pipes.next() == Some(&true) {
                moved = true;
                take(pipe, came)?;
            }
        }
        // Once it has ended, nothing more comes into the pipes than what is there.
        if none || !moved && ready[0] || came.iter().map(Vec::len).sum::<usize>() > MOST {
            return Ok((ready[0], came));
        }
    }
}

/// Reads once. The end of it closes the pipe.
fn take(pipe: &mut Option<PipeReader>, came: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 1 << 16];
    let n = pipe.as_mut().map_or(Ok(0), |pipe| pipe.read(&mut buffer))?;
    came.extend_from_slice(&buffer[..n]);
    if n == 0 {
        *pipe = None;
    }
    Ok(())
}
