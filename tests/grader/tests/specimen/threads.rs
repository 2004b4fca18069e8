//! Threads are not processes, but do what processes do.

use crate::{
    calls::become_specimen,
    sys::{exit, fork as fork_child, pause_for, said, told},
};
use nix::{
    libc,
    sys::{
        signal::{Signal, kill, raise},
        wait::{WaitPidFlag, waitpid},
    },
};
use std::{sync::Barrier, thread as std_thread};

pub fn thread() -> u8 {
    let threads: Vec<_> = (0..3).map(|i| std_thread::spawn(move || i)).collect();
    said(
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .sum::<u32>(),
    )
}

/// One thread forks, another reaps: a child belongs to the whole process.
pub fn fork() -> u8 {
    let child = std_thread::spawn(|| fork_child(|| 8))
        .join()
        .expect("a thread")
        .expect("a child");
    told("wait", waitpid(child, None))
}

/// The thread that execs lives on under its process's id; the one that waits for it is gone.
pub fn exec() -> u8 {
    let others: Vec<_> = (0..2).map(|_| std_thread::spawn(nix::unistd::pause)).collect();
    let _ = std_thread::spawn(|| become_specimen(&["say", "exec"])).join();
    others.into_iter().for_each(drop_thread);
    1
}

fn drop_thread(thread: std_thread::JoinHandle<()>) {
    let _ = thread.join();
}

/// The first thread ends before the others.
pub fn leader() -> u8 {
    std_thread::spawn(|| {
        pause_for(20);
        exit(said("outlived"))
    });
    // SAFETY: ends this thread alone; the process lives as long as the other one. Nothing here has a destructor to run.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    1
}

/// All threads of a process stop and go on together.
pub fn stop() -> u8 {
    let child = fork_child(|| {
        let barrier = &*Box::leak(Box::new(Barrier::new(4)));
        let threads: Vec<_> = (0..3)
            .map(|_| std_thread::spawn(|| barrier.wait().is_leader()))
            .collect();
        raise(Signal::SIGSTOP).expect("to be stopped");
        barrier.wait();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        0
    })
    .expect("a child");
    told("stopped", waitpid(child, Some(WaitPidFlag::WUNTRACED)));
    kill(child, Signal::SIGCONT).expect("a child to continue");
    told("wait", waitpid(child, None))
}
