//! However the test ends, nothing is left: no process of the program, no witness, no directory.

mod common;

use common::{LAB, Mark};
use grader::{Verdict, checks, libc};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigHandler, Signal, kill, signal},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::{
        fd::{AsFd, FromRawFd, OwnedFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    process::{Child, Command, ExitCode, Stdio},
};

fn main() -> ExitCode {
    LAB.main(checks![
        the_test_is_killed,
        the_test_is_interrupted_from_the_terminal,
        the_test_is_asked_to_end,
        the_test_and_all_its_group_are_killed,
        the_witness_is_killed,
        a_directory_that_lets_nobody_in_is_removed,
    ])
}

/// A test (this binary, telling the story of one run) whose program has started and stays: three processes, one of them in
/// a session of its own, which hold a FIFO open as long as they live.
struct Scene {
    test: Child,
    witness: (Pid, OwnedFd),
    nursery: OwnedFd,
    fifo: BufReader<File>,
    mark: Mark,
    place: tempfile::TempDir,
}

impl Scene {
    fn set() -> Self {
        let (place, mark) = (tempfile::tempdir().expect("a directory"), Mark::new());
        let (fifo, scratch) = (place.path().join("fifo"), place.path().join("scratch"));
        mkfifo(&fifo, Mode::S_IRWXU).expect("a FIFO");
        fs::create_dir(&scratch).expect("a directory");
        let mut test = Command::new(std::env::current_exe().expect("a test has a file"));
        test.args(["--story", "stay"])
            .arg(&fifo)
            .env("TMPDIR", &scratch)
            .env(Mark::KEY, mark.value())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        // SAFETY: between fork and exec `hears_ctrl_c` only makes a system call.
        unsafe { test.pre_exec(hears_ctrl_c) };
        let mut test = test.spawn().expect("a child");
        let fifo = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(fifo)
            .expect("its reading end");
        let over = pidfd(Pid::from_raw(test.id().cast_signed()));
        wait_for(&[fifo.as_fd(), over.as_fd()]);
        let mut fifo = BufReader::new(fifo);
        let mut line = String::new();
        fifo.read_line(&mut line).expect("a line from the program");
        let Ok(witness) = line.trim().parse() else {
            panic!(
                "the program never said who its parent is; the test: {:?}",
                test.wait()
            );
        };
        let witness = Pid::from_raw(witness);
        let witness = (witness, pidfd(witness));
        let nursery = pidfd(parent_of(witness.0));
        Self {
            test,
            witness,
            nursery,
            fifo,
            mark,
            place,
        }
    }

    /// Waits until the witness has ended, and looks for what is left.
    fn ends_clean(mut self) -> Verdict {
        wait_for(&[self.witness.1.as_fd()]);
        let _ = self.test.wait();
        wait_for(&[self.nursery.as_fd()]);
        wait_for(&[self.fifo.get_ref().as_fd()]); // the kernel's own work, when the witness was killed
        let end = self.fifo.read(&mut [0]);
        assert!(
            matches!(end, Ok(0)),
            "nobody holds the FIFO open any more: {end:?}"
        );
        let left = self.mark.survivors();
        assert!(left.is_empty(), "no process of the program is left: {left:?}");
        Ok(())
    }

    fn has_no_directory(&self) {
        let left: Vec<_> = fs::read_dir(self.place.path().join("scratch"))
            .expect("it is there")
            .flatten()
            .collect();
        assert!(left.is_empty(), "no temporary directory is left: {left:?}");
    }

    /// Sends the signal to the test (or to its group, for a negative number), and looks.
    fn ends_at(self, to: impl Fn(Pid) -> Pid, signal: Signal) -> Verdict {
        let test = Pid::from_raw(self.test.id().cast_signed());
        kill(to(test), signal).expect("somebody to signal");
        wait_for(&[self.witness.1.as_fd()]);
        self.has_no_directory();
        self.ends_clean()
    }
}

fn pidfd(pid: Pid) -> OwnedFd {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd).expect("a process to watch");
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

fn parent_of(pid: Pid) -> Pid {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let parent = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
    Pid::from_raw(parent.expect("a parent"))
}

/// Until one of them is ready; a bound far above anything but a failure, and below the witness's own last resort.
fn wait_for(fds: &[std::os::fd::BorrowedFd<'_>]) {
    let mut fds: Vec<PollFd> = fds.iter().map(|&fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    loop {
        match poll(&mut fds, PollTimeout::from(20_000u16)) {
            Err(Errno::EINTR) => {}
            ready => return assert!(ready.is_ok_and(|ready| ready > 0), "it never came"),
        }
    }
}

fn the_test_is_killed() -> Verdict {
    Scene::set().ends_at(|test| test, Signal::SIGKILL)
}

fn the_test_is_interrupted_from_the_terminal() -> Verdict {
    Scene::set().ends_at(|test| Pid::from_raw(-test.as_raw()), Signal::SIGINT)
}

fn the_test_is_asked_to_end() -> Verdict {
    Scene::set().ends_at(|test| test, Signal::SIGTERM)
}

fn the_test_and_all_its_group_are_killed() -> Verdict {
    Scene::set().ends_at(|test| Pid::from_raw(-test.as_raw()), Signal::SIGKILL)
}

/// The one who cleans up is gone; the kernel ends the program all the same.
fn the_witness_is_killed() -> Verdict {
    let scene = Scene::set();
    kill(scene.witness.0, Signal::SIGKILL).expect("a witness");
    scene.ends_clean()
}

/// What lets nobody in stops no one who is privileged; so the test, and its witness after it, does without that privilege.
fn a_directory_that_lets_nobody_in_is_removed() -> Verdict {
    let place = tempfile::tempdir().expect("a directory");
    let mut test = Command::new(std::env::current_exe().expect("a test has a file"));
    test.args(["--story", "locked"]).env("TMPDIR", place.path());
    // SAFETY: between fork and exec `as_anybody` only makes system calls.
    unsafe { test.pre_exec(as_anybody) };
    let output = test.output().expect("a child");
    let story = String::from_utf8_lossy(&output.stdout);
    assert!(story.contains("exits with 0"), "it left what it should: {story}");
    let left: Vec<_> = fs::read_dir(place.path())
        .expect("it is there")
        .flatten()
        .collect();
    assert!(left.is_empty(), "no temporary directory is left: {left:?}");
    Ok(())
}

/// Who was started in the background of a script ignores SIGINT, and so do all its children (`sh(1)`, Signals and error
/// handling). At a terminal the test would not.
fn hears_ctrl_c() -> std::io::Result<()> {
    // SAFETY: the default action is no handler.
    unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }?;
    Ok(())
}

/// From the next exec on, permissions hold for root too (`capabilities(7)`); who is not root has nothing to give up.
fn as_anybody() -> std::io::Result<()> {
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    const CAP_DAC_READ_SEARCH: libc::c_ulong = 2;
    for capability in [CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH] {
        // SAFETY: takes no pointer.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability) };
    }
    Ok(())
}
